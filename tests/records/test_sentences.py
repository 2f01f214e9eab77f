"""What statistics, verdicts and estimates say: `sentences.txt`, call by call."""

from pathlib import Path

from tests.sentences import differences


def test_each_call_says_what_the_text_says():
    assert not differences(Path(__file__).with_name("sentences.txt"))
