from services.gateway.knowledge.policies import Policies
from services.gateway.knowledge.ranking import Scale, best, passages, wide_page, widened
from services.gateway.knowledge.search import Candidate
from services.gateway.knowledge.words import asked_words, words_of
from tests.support.fake_embedder import FakeEmbedder, vector_of

SCALE = Scale(words=0.02, least=0.3, gap=0.3)


def candidate(
    key: str, meaning: float, text: str = "Text.", heading: str = "", chunks: int = 1
) -> Candidate:
    document = key.rpartition(":")[0]
    return Candidate(key, document, document, heading, text, chunks, 0.0, meaning)


def test_what_is_too_weak_or_too_far_behind_is_left_out() -> None:
    found = [candidate("a:0", 0.9), candidate("b:0", 0.65), candidate("c:0", 0.5)]
    assert [one.key for _, one in best(found, SCALE, 1000)] == ["a:0", "b:0"]
    assert best([candidate("a:0", 0.29)], SCALE, 1000) == []
    assert best([], SCALE, 1000) == []


def test_ten_at_most_and_no_more_than_the_budget() -> None:
    found = [candidate(f"{page}:0", 0.9 - page / 100) for page in range(12)]
    assert len(best(found, SCALE, 1000)) == 10
    mixed = [
        candidate("a:0", 0.9, "x" * 90),
        candidate("b:0", 0.8, "y" * 90),
        candidate("c:0", 0.7, "z" * 9),
    ]
    assert [one.document for one in passages(best(mixed, SCALE, 120))] == ["a", "c"]


def test_a_passage_does_not_say_its_title_twice() -> None:
    found = [candidate("a:0", 0.9, heading="a › One"), candidate("b:0", 0.8, heading="b")]
    found.append(candidate("c:0", 0.7, heading="Other › One"))
    made = passages(best(found, SCALE, 1000))
    assert [one.heading for one in made] == ["One", "", "Other › One"]


def test_an_overview_gets_the_whole_page_where_it_fits() -> None:
    page = [
        candidate(f"a:{place}", 0.9, f"Text {place}.", f"a › G{place // 3} › S{place}", 6)
        for place in range(6)
    ]
    chosen = best([*page[:3], candidate("b:0", 0.7)], SCALE, 1000)
    one = wide_page("give me an overview", "en", chosen)
    assert one is not None
    whole, other = widened(chosen, page, one, 1000)
    assert whole.heading == ""
    assert whole.text.startswith("## G0 › S0\nText 0.\n\n## G0 › S1\nText 1.")
    assert all(f"Text {place}." in whole.text for place in range(6))
    assert other.document == "b"
    group, *_ = widened(chosen, page, one, 80)
    assert (group.heading, group.text[:12]) == ("G0", "## S0\nText 0")
    assert "Text 3." not in group.text
    assert widened(chosen, page, one, 20) == passages(chosen)
    assert wide_page("how heavy is it", "en", chosen) is None
    assert wide_page("介绍一下这款耳机", "zh", chosen[:2]) is None


def test_words_meet_in_spite_of_endings_and_colloquial_names() -> None:
    assert set(asked_words("returning", "en")) & set(words_of("We accept returns."))
    assert set(words_of("移动电源")) <= set(asked_words("充电宝能带上飞机吗", "zh"))
    assert asked_words("the is of", "en") == []
    assert asked_words("（？！|@*-", "zh") == []
    assert all(
        word.isalnum() for word in asked_words('a|b @x:{y} -z "q" 3.5*', "en") if word != "3.5"
    )
    assert len(asked_words("".join(chr(0x4E00 + n) for n in range(500)), "zh")) == 40


async def test_policies_are_scored_by_words_and_meaning() -> None:
    rules = ("Shipping is free for orders of ¥99 or more.", "We accept Alipay and bank cards.")
    question = "which cards do you accept"
    embedder = FakeEmbedder()
    policies = Policies(embedder)
    for _ in range(2):
        found = await policies.candidates("en", question, vector_of(question), rules)
        assert found is not None
        assert found[1].words > found[0].words == 0
        assert found[1].meaning > found[0].meaning > 0
    assert embedder.texts == list(rules)  # once
    assert await policies.candidates("en", question, None, rules) is None
    away = Policies(FakeEmbedder(fail_after=0))
    assert await away.candidates("en", question, vector_of(question), rules) is None
