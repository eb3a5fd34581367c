from pathlib import Path

import pytest

from services.gateway.rehearsal.errors import QuestionsError
from services.gateway.rehearsal.questions import MOST_CHARS, Questions, read_questions


def read(folder: Path, content: str | bytes) -> Questions:
    path = folder / "chats.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_questions(path)


def asked(found: Questions) -> list[list[str]]:
    return [[row.question for row in chat.rows] for chat in found.chats]


@pytest.mark.parametrize("name", ["question", "Query", "message", " TEXT ", "问题"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_column_of_questions_has_several_names_and_the_file_may_have_a_bom(
    tmp_path: Path, name: str, mark: bytes
) -> None:
    found = read(tmp_path, mark + f"{name},expected\n有货吗？,有\n".encode())
    (row,) = found.chats[0].rows
    assert (row.line, row.question, row.expected) == (2, "有货吗？", "有")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_are_told_apart(tmp_path: Path, delimiter: str) -> None:
    lines = [
        ("conversation", "question", "note"),
        ("1", '"Hi, is it in stock; or not?"', "x"),
        ("2", "运费多少", "y"),
    ]
    found = read(tmp_path, "\r\n".join(delimiter.join(line) for line in lines))
    assert asked(found) == [["Hi, is it in stock; or not?"], ["运费多少"]]
    assert found.unread == ["note"]


def test_in_a_file_of_one_column_commas_belong_to_the_question(tmp_path: Path) -> None:
    found = read(tmp_path, 'question\nHello, is it in stock; or not?\n"Yes, ""quoted"""\n')
    assert asked(found) == [["Hello, is it in stock; or not?"], ['Yes, "quoted"']]


def test_the_first_known_name_wins_where_there_are_two(tmp_path: Path) -> None:
    assert asked(read(tmp_path, "text,question\nno,yes\n")) == [["yes"]]


def test_rows_of_one_conversation_stay_in_order_wherever_they_stand(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "question,conversation,customer\na1,a,\nalone,,\nb1,b,\na2,a,alice\nalone too,,\n",
    )
    assert asked(found) == [["a1", "a2"], ["alone"], ["b1"], ["alone too"]]
    assert [chat.customer for chat in found.chats] == ["alice", "", "", ""]
    assert (found.count, found.named) == (5, 2)


def test_a_bad_row_is_named_by_line_and_reason_and_the_rest_is_read(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        b'question,conversation,customer\n"two\nlines",1,alice\n\n,2,\n'
        b"a,3,,too,many\n\xff\xfe,4,\nb,1,bob\n"
        + b"c" * (MOST_CHARS + 1)
        + b",5,\nd,6,"
        + b"x" * 129
        + b"\nlast,7\n",
    )
    assert asked(found) == [["two\nlines"], ["last"]]
    reasons = {bad.line: bad.reason for bad in found.bad}
    assert list(reasons) == [5, 6, 7, 8, 9, 10]
    for line, part in zip(
        reasons,
        ("no question", "5 columns", "not UTF-8", "another customer", "quote", "no id"),
        strict=True,
    ):
        assert part in reasons[line]


def test_a_quote_left_open_does_not_swallow_the_file_unnoticed(tmp_path: Path) -> None:
    found = read(tmp_path, "question,expected\nfine,yes\n" + '"open,no\n' + "more,rows\n" * 20_000)
    assert asked(found)[0] == ["fine"]
    assert found.bad[0].line == 3
    assert "quote" in found.bad[0].reason


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no header"),
        (b"\n\n", "no header"),
        (b"a,b\n1,2\n", "its columns are 'a', 'b'"),
        (b"question,expected\n", "no row that can be asked"),
        (b"question,expected\n,x\n", "Line 2: it has no question"),
        ("问题,期望\n有货吗,有\n".encode("gbk"), "not UTF-8"),
        ("question\nhi\n".encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_file_without_questions_is_refused_with_a_remedy(
    tmp_path: Path, content: bytes, says: str
) -> None:
    with pytest.raises(QuestionsError, match=says):
        read(tmp_path, content)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(QuestionsError, match="No such file"):
        read_questions(tmp_path / "none.csv")
    with pytest.raises(QuestionsError, match="cannot be read"):
        read_questions(tmp_path)


def test_thousands_of_rows(tmp_path: Path) -> None:
    rows = "".join(f"{n % 700},question {n}\n" for n in range(7000))
    found = read(tmp_path, f"conversation,question\n{rows}")
    assert (len(found.chats), found.count, found.bad) == (700, 7000, [])
