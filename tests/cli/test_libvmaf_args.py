"""libvmaf's command line: what it accepts, and what it should have refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyvmaf.cli.flags import Flag, unsigned
from tinyvmaf.cli.libvmaf_args import LibvmafArgs, parse_args, usage
from tinyvmaf.cli.libvmaf_grammar import FeatureSpec, ModelSpec, parse_model
from tinyvmaf.errors import TinyVmafError, UnknownNameError, UsageError
from tinyvmaf.score.logs.precision import LEGACY, NumberFormat
from tinyvmaf.score.model import Overload
from tinyvmaf.video.base import MAX_SIDE
from tinyvmaf.video.raw import RawFormat

BOTH = ["-r", "a.y4m", "-d", "b.y4m"]


def parse(text, **more):
    return parse_args([*BOTH, *text.split()], **more)


def test_defaults_are_libvmafs():
    args = parse("")
    assert args == LibvmafArgs(reference="a.y4m", distorted="b.y4m", models=(ModelSpec(),))
    assert (args.models[0].version, args.models[0].name, args.format, args.precision) == (
        "vmaf_v0.6.1",
        "vmaf",
        "xml",
        LEGACY,
    )


def test_every_option_has_its_place():
    args = parse(
        "-w 576 -h 324 -p 422 -b 10 -o log --csv --threads 4 --subsample 5 --cpumask 0x3F --gpumask 1 --frame_cnt 9 "
        "--frame_skip_ref 2 --frame_skip_dist 3 -n -q --precision 9"
    )
    raw = {"width": 576, "height": 324, "pixel_format": "422", "bitdepth": 10}
    masks = {"cpumask": 63, "gpumask": 1}
    skips = {"frame_cnt": 9, "frame_skip_ref": 2, "frame_skip_dist": 3}
    rest = {"output": "log", "format": "csv", "threads": 4, "subsample": 5, "no_prediction": True, "quiet": True}
    assert args == LibvmafArgs("a.y4m", "b.y4m", **raw, **masks, **skips, **rest, precision=NumberFormat(9))


@pytest.mark.parametrize(
    "text", ["--frame-cnt 7", "--frame_cnt=7", "--frame-cnt=7", "--frame_c 7", "--frame-c=0x7", "--frame_cnt 007"]
)
def test_long_options_in_every_spelling(text):
    assert parse(text).frame_cnt == 7


@pytest.mark.parametrize(
    "text", ["-nqw16 -h16 -p420 -b8", "-qn -w 16 -h 16 -p 420 -b 8", "--width=16 --hei 16 --pix 420 --bit 8 -nq"]
)
def test_short_options_cluster(text):
    args = parse(text)
    assert (args.width, args.height, args.pixel_format, args.bitdepth) == (16, 16, "420", 8)
    assert args.quiet
    assert args.no_prediction


def test_the_last_format_wins():
    assert parse("--json --csv --sub").format == "sub"
    assert parse("--sub --xml").format == "xml"


def test_version_and_help_stop_everything():
    assert parse_args(["-v", "--bogus"]).version
    assert parse_args(["--help"]).help
    assert not parse_args(["--vers"]).help


def test_sizes_have_the_limit_and_the_message_of_the_reader():
    largest = parse(f"-w {MAX_SIDE} -h {MAX_SIDE} -p 420 -b 8")
    assert RawFormat(largest.width, largest.height).width == MAX_SIDE
    with pytest.raises(UsageError) as asked:
        parse(f"-w {MAX_SIDE + 1} -h 8 -p 420 -b 8")
    with pytest.raises(UsageError) as read:
        RawFormat(MAX_SIDE + 1, 8)
    assert str(asked.value) == str(read.value)


def test_grey_video_is_ours_to_accept():
    assert parse("-w 16 -h 16 -p 400 -b 16").pixel_format == "400"


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("version=vmaf_4k_v0.6.1", ModelSpec("vmaf_4k_v0.6.1")),
        ("path=m.json:name=mine", ModelSpec(None, "m.json", "mine")),
        ("path=a=b.json", ModelSpec(None, "a=b.json")),
        ("version=v:disable_clip:enable_transform=true", ModelSpec("v", disable_clip=True, enable_transform=True)),
        ("version=v:disable_clip=false", ModelSpec("v")),
        ("version=v:name=q\"'<", ModelSpec("v", name="q\"'<")),
        (
            "version=v:adm.adm_enhn_gain_limit=1.0:float_ssim.scale=2",
            ModelSpec("v", overloads=(Overload("adm", "adm_enhn_gain_limit", "1.0"), Overload("ssim", "scale", "2"))),
        ),
    ],
)
def test_model_grammar(text, spec):
    assert parse_args([*BOTH, "-m", text]).models == (spec,)


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ("--feature psnr", [FeatureSpec("psnr", (), "psnr")]),
        (
            "--feature float_ssim --feature ms_ssim",
            [FeatureSpec("ssim", (), "float_ssim"), FeatureSpec("ms_ssim", (), "ms_ssim")],
        ),
        ("--feature psnr=a=1:b=x=y", [FeatureSpec("psnr", (("a", "1"), ("b", "x=y")), "psnr")]),
    ],
)
def test_feature_grammar(text, features):
    assert list(parse(text).features) == features


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--bogus", r"no option --bogus\."),
        ("--widht 3", r"Did you mean --width\?"),
        ("-x", "no option -x"),
        ("--frame 3", r"ambiguous.*--frame_cnt, --frame_skip_ref, --frame_skip_dist"),
        ("stray", "'stray'"),
        ("-- stray", "'stray'"),
        ("-", "'-'"),
        ("--json=1", "takes no value"),
        ("--output", "needs a value"),
        ("-o", "needs a value"),
        ("-o=", None),
        ("--threads abc", "whole number, not 'abc'"),
        ("--threads -1", "whole number, not '-1'"),
        ("--threads 4294967296", "whole number"),
        ("--threads 0x", "whole number"),
        ("--threads=", "whole number"),
        ("-w x", "-w/--width takes a size from 1 to 16384, not 'x'"),
        ("-w 0", "width of raw video must be 1 to 16384, not 0"),
        ("-h 16385", "height of raw video must be 1 to 16384, not 16385"),
        ("-b 9", r"8\|10\|12\|16, not '9'"),
        ("-p 411", "not '411'"),
        ("-w 16 -h 16", "pixel_format, bitdepth is not given"),
        ("--precision 18", "from 1 to 17"),
        ("-m version=a -m version=b", "two are named 'vmaf'"),
        ("-m name=x", "one of version= and path="),
        ("-m version=a:path=b", "one of version= and path="),
        ("-m version=./a", "Use path= for a file"),
        ("-m version=a.json", "Use path= for a file"),
        ("-m vmaf_v0.6.1", "key=value"),
        ("-m version=", "key=value"),
        ("-m version=a:", "key=value"),
        ("-m version=a:disable_clip=1", "true or false"),
        ("-m version=a:nmae=b", "Did you mean name"),
        ("-m version=a:name=integer_adm2", "which a feature has"),
        ("-m version=a:name=adm2", "which a feature has"),
        ("-m version=a:name=x\x00y", "printable"),
        ("-m version=" + "x" * 1100, "1024 bytes"),
        ("-m version=a" + ":adm.b=1" * 33, "at most 32 feature options"),
        (" ".join(f"-m version=a:name=m{i}" for i in range(33)), "At most 32 --model"),
        ("--feature psnr " * 33, "At most 32 --feature"),
        ("--feature psnr=enable_chroma", "key=value"),
        ("--aom_ctc proposed", "no version 'proposed'"),
        ("--aom_ctc v1.0", "needs ciede, psnr_hvs, which"),
        ("--aom-ctc=v6.0", "cambi"),
        ("--nflx_ctc v1.0", "cambi"),
    ],
)
def test_what_is_not_understood_is_refused(text, message):
    if message is None:
        assert parse(text).output == "="  # getopt keeps what follows a short option as it is
        return
    with pytest.raises(UsageError, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", [["-r", "a"], ["-d", "a"], []])
def test_both_videos_are_required(missing):
    with pytest.raises(UsageError, match="video is required"):
        parse_args(missing)


@pytest.mark.parametrize("name", ["ciede", "cambi", "psnr_hvs", "float_adm", "speed_chroma"])
def test_features_of_libvmaf_that_are_missing_say_so(name):
    with pytest.raises(UnknownNameError, match=f"libvmaf's feature {name} is not part"):
        parse(f"--feature {name}")
    with pytest.raises(UnknownNameError, match="Did you mean psnr"):
        parse("--feature psrn")


def test_other_tables_plug_in():
    extra = [
        Flag("sync", "frames|time", "how to pair", default="time"),
        Flag("truncate", help="compare the common part", default=False),
        Flag("own-model", "FILE", repeat=True, aliases=("my-model",)),
        Flag("gain", "X", parse=float, rule="a number"),
    ]
    args = parse("--sync=frames --trunc --own_model a --my-m b", extra=extra)
    assert args.extra == {"sync": "frames", "truncate": True, "own_model": ("a", "b"), "gain": None}
    assert "--sync frames|time" in usage(extra)
    with pytest.raises(UsageError, match="--gain takes a number, not 'x'"):
        parse("--gain x", extra=extra)
    with pytest.raises(UsageError, match="no option --sync"):
        parse("--sync frames")


def test_usage_lists_every_option():
    assert all(f"--{name}" in usage() for name in ("reference", "precision", "nflx_ctc", "frame_skip_dist", "help"))


@given(st.integers(0, 2**32 - 1))
def test_numbers_are_decimal_or_hexadecimal(value):
    assert unsigned(str(value)) == unsigned(f"00{value}") == unsigned(hex(value)) == value


@given(
    st.lists(
        st.text(max_size=8) | st.sampled_from(["-r", "-d", "-m", "--feature", "--threads", "--json", "x"]), max_size=6
    )
)
def test_any_command_line_is_understood_or_refused(words):
    try:
        assert isinstance(parse_args(words), LibvmafArgs)
    except TinyVmafError as error:
        assert error.exit_code == 2  # noqa: PT017


@given(st.text(max_size=40))
def test_any_model_text_is_understood_or_refused(text):
    try:
        assert isinstance(parse_model(text), ModelSpec)
    except UsageError as error:
        assert error.message  # noqa: PT017
