import pytest

from tinyvmaf.video.extent import stated_bytes

EBML = bytes.fromhex("1a45dfa3 84 42868101")


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (EBML + bytes.fromhex("18538067 85"), 14 + 5),
        (EBML + bytes.fromhex("18538067 4005"), 15 + 5),
        (EBML + bytes.fromhex("18538067 0100000000000005"), 21 + 5),
        (EBML + bytes.fromhex("ec 82 0000 18538067 85"), 18 + 5),  # a void element in between
        (EBML + bytes.fromhex("18538067 01ffffffffffffff"), None),
        (EBML + bytes.fromhex("18538067 ff"), None),
        (EBML + bytes.fromhex("18538067"), None),
        (EBML + bytes.fromhex("18538067 01000000"), None),
        (EBML + bytes.fromhex("00"), None),
        (EBML, None),
        (bytes.fromhex("18538067 85"), None),
        (b"RIFF\x10\x00\x00\x00AVI LIST", 24),
        (b"RIFF\x00\x00\x00\x00AVI LIST", None),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),
        (b"RIFF\x10\x00", None),
        (b"\x00\x00\x00\x18ftypisom", None),
        (b"", None),
    ],
)
def test_lengths_of_headers(head, wanted):
    assert stated_bytes(head) == wanted


@pytest.mark.parametrize("count", range(len(EBML) + 14))
def test_a_head_may_end_anywhere(count):
    head = (EBML + bytes.fromhex("18538067 0100000000000005"))[:count]
    assert stated_bytes(head) == (26 if count >= 21 else None)
