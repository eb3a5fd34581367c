"""The grader against answers that a person would call right or wrong."""

import pytest

from tests.eval.dialogues import Dialogue, Turn
from tests.eval.grader import Answered, Grade, Grader, MadeCall
from tests.eval.shop import Shop
from tests.unit.eval.cases import (
    ARRIVAL,
    ARRIVAL_EN,
    COLOUR,
    COMPARE,
    COMPARE_EN,
    DISPATCH,
    K87,
    K104,
    LIST_CALL,
    LISTED,
    LISTED_EN,
    MISSING,
    ORDER1,
    ORDER2,
    ORDER3,
    PAYMENT,
    PLACE_EN,
    PRICE,
    PRICE_EN,
    RETURNS,
    RETURNS_EN,
    SHIPPED,
    SHIPPED_EN,
    SIGN_IN,
    SOLD_OUT,
    STOCK_EN,
    TALK,
    TALK_EN,
    TRACKING,
    UNPAID,
    WARRANTY,
    WHICH,
    WHICH_EN,
    Case,
    product,
)


@pytest.fixture(scope="module")
def grader() -> Grader:
    return Grader(Shop())


CASES = [
    Case("status", SHIPPED, (ORDER1,), "您的订单ORD20241201001已发货，顺丰速运单号SF123456789CN。"),
    Case("synonym", SHIPPED, (ORDER1,), "亲，您的包裹正在运输中哦～"),
    Case("status and date", SHIPPED, (ORDER1,), "已发货，2024年12月3日更新，由顺丰速运承运。"),
    Case("wrong date", SHIPPED, (ORDER1,), "已发货，预计12月8日送达。", "else"),
    Case("wrong status", SHIPPED, (ORDER1,), "您的订单已签收。", "states else"),
    Case("right and wrong status", SHIPPED, (ORDER1,), "订单已发货，并且已送达。", "else"),
    Case("status negated", SHIPPED, (ORDER1,), "您的订单还未发货。", "states else"),
    Case("declines the answerable", SHIPPED, (ORDER1,), "抱歉，这一点我暂时无法确认。", "states"),
    Case("states and declines", SHIPPED, (ORDER1,), "已发货，其他的暂时无法确认。", "states"),
    Case(
        "raw JSON", SHIPPED, (ORDER1,), '{"order_id":"ORD20241201001","status":"已发货"}', "states"
    ),
    Case("markup", SHIPPED, (ORDER1,), "<tool_call>已发货", "states"),
    Case("empty", SHIPPED, (ORDER1,), "  ", "states"),
    Case("other language", SHIPPED_EN, (ORDER1,), "您的订单已发货。", "states", language="en"),
    Case("invented tracking", SHIPPED, (ORDER1,), "已发货，单号SF123456788CN。", "else"),
    Case("wrong carrier", SHIPPED, (ORDER1,), "已发货，由圆通速递配送。", "else"),
    Case("no call", SHIPPED, (), "您的订单已发货。", "calls else"),
    Case("other number", SHIPPED, (ORDER2,), "您的订单已发货。", "calls else"),
    Case(
        "number respelt",
        SHIPPED,
        (MadeCall("query_order_status", {"order_id": "ord 2024-1201-001"}),),
        "已发货。",
    ),
    Case(
        "extra argument",
        SHIPPED,
        (MadeCall("query_order_status", {"order_id": "ORD20241201001", "customer": "bob"}),),
        "已发货。",
        "calls else",
    ),
    Case(
        "broken arguments",
        SHIPPED,
        (MadeCall("query_order_status", '{"order_id":'),),
        "已发货。",
        "calls else",
    ),
    Case("extra call", SHIPPED, (ORDER1, LIST_CALL), "已发货。", "calls"),
    Case("unpaid", UNPAID, (ORDER2,), "该订单还没付款，目前是待付款状态。"),
    Case("unpaid is not sent", UNPAID, (ORDER2,), "订单待付款，所以还未发货。"),
    Case("condition is no status", UNPAID, (ORDER2,), "订单待付款，付款后24小时内发货。"),
    Case(
        "status in English",
        SHIPPED_EN,
        (ORDER1,),
        "Your order ORD20241201001 has been shipped with SF Express (SF123456789CN).",
        language="en",
    ),
    Case(
        "not shipped",
        SHIPPED_EN,
        (ORDER1,),
        "It has not been shipped yet.",
        "states else",
        language="en",
    ),
    Case(
        "policy beside status",
        SHIPPED_EN,
        (ORDER1,),
        "It's on its way; you can return it within 7 days once it has been delivered.",
        language="en",
    ),
    Case("status name raw", UNPAID, (ORDER2,), "订单等待付款（awaiting_payment）。", "states"),
    Case("price", PRICE, (product("降噪耳机pro"),), "无线降噪耳机Pro的价格是¥599。"),
    Case("price alone", PRICE, (product("降噪耳机pro"),), "599.00"),
    Case(
        "numbered list",
        LISTED,
        (LIST_CALL,),
        "1. ORD20241201002 待付款\n2. ORD20241201001 已发货\n4、ORD20241018006 已退货",
    ),
    Case("not in Chinese", PRICE, (product("降噪耳机pro"),), "It costs 599 yuan.", "states"),
    Case("price with decimals", PRICE, (product("降噪耳机 Pro"),), "现在是 599.00 元哦"),
    Case("canonical name as argument", PRICE, (product("无线降噪耳机Pro"),), "599元"),
    Case("wrong product", PRICE, (product("真无线运动耳机"),), "599元", "calls else"),
    Case("invented price", PRICE, (product("降噪耳机pro"),), "原价699元，现价599元。", "else"),
    Case("invented discount", PRICE, (product("降噪耳机pro"),), "599元，现在打9折。", "else"),
    Case(
        "invented percentage",
        PRICE_EN,
        (product("headphones pro"),),
        "It's ¥599, 10% off today.",
        "else",
        language="en",
    ),
    Case("wrong price", PRICE, (product("降噪耳机pro"),), "价格是1599元。", "states else"),
    Case(
        "price and stock",
        PRICE,
        (product("降噪耳机pro"),),
        "599元，库存128件，杭州发货，保修24个月。",
    ),
    Case("warranty in years", PRICE, (product("降噪耳机pro"),), "599元，保修两年。"),
    Case("wrong warranty", PRICE, (product("降噪耳机pro"),), "599元，保修三年。", "else"),
    Case("wrong stock", PRICE, (product("降噪耳机pro"),), "599元，库存还有599件。", "else"),
    Case("wrong city", PRICE, (product("降噪耳机pro"),), "599元，从上海发货。", "else"),
    Case(
        "wrong currency",
        PRICE_EN,
        (product("headphones pro"),),
        "They are $599.",
        "else",
        language="en",
    ),
    Case(
        "price in English",
        PRICE_EN,
        (product("headphones pro"),),
        "The Wireless Noise-Cancelling Headphones Pro cost ¥599.00.",
        language="en",
    ),
    Case(
        "the product, listed not",
        PRICE_EN,
        (product("the headphones pro"),),
        "¥599",
        "calls else",
        language="en",
    ),
    Case(
        "another product named",
        PRICE,
        (product("降噪耳机pro"),),
        "599元，真无线运动耳机也不错。",
        "else",
    ),
    Case(
        "stock in English",
        STOCK_EN,
        (product("Sports Earbuds"),),
        "Yes, 64 are in stock.",
        language="en",
    ),
    Case(
        "stock denied",
        STOCK_EN,
        (product("sports earbuds"),),
        "They are not in stock.",
        "states else",
        language="en",
    ),
    Case("sold out", SOLD_OUT, (K104,), "机械键盘K104目前缺货。"),
    Case("sold out as none", SOLD_OUT, (K104,), "机械键盘K104库存为0，暂时无货。"),
    Case("sold out denied", SOLD_OUT, (K104,), "机械键盘K104现在有货。", "states else"),
    Case("restocking invented", SOLD_OUT, (K104,), "缺货，下周补货。", "else"),
    Case("warranty", WARRANTY, (product("护眼台灯"),), "护眼台灯保修24个月。"),
    Case(
        "warranty of another",
        WARRANTY,
        (product("护眼台灯"),),
        "护眼台灯保修12个月。",
        "states else",
    ),
    Case(
        "place in English",
        PLACE_EN,
        (product("power bank 10000mah"),),
        "The 10000mAh Power Bank ships from Huizhou.",
        language="en",
    ),
    Case(
        "place as in the data",
        PLACE_EN,
        (product("10000mAh Power Bank"),),
        "The 10000mAh Power Bank ships from 惠州.",
        language="en",
    ),
    Case("compare", COMPARE, (K87, K104), "机械键盘K87是329元，机械键盘K104是399元，K87更便宜。"),
    Case("compare in one clause", COMPARE, (K87, K104), "K87和K104分别是329元和399元。"),
    Case(
        "prices swapped", COMPARE, (K87, K104), "机械键盘K87是399元，机械键盘K104是329元。", "else"
    ),
    Case("compared wrongly", COMPARE, (K87, K104), "K87是329元，K104是399元，K104更便宜。", "else"),
    Case("difference reckoned", COMPARE, (K87, K104), "K87是329元，K104是399元，差70元。", "else"),
    Case("one call of two", COMPARE, (K87,), "K87是329元，K104是399元。", "calls else"),
    Case(
        "compare in English",
        COMPARE_EN,
        (K87, K104),
        "The K87 is ¥329 and the K104 is ¥399, so the K87 is cheaper.",
        language="en",
    ),
    Case(
        "cheaper than",
        COMPARE_EN,
        (K87, K104),
        "At ¥329 the K87 is cheaper than the K104, which costs ¥399.",
        language="en",
    ),
    Case(
        "swapped in English",
        COMPARE_EN,
        (K87, K104),
        "The K87 is ¥399 and the K104 is ¥329.",
        "else",
        language="en",
    ),
    Case("policy", RETURNS, (), "签收后7天内支持无理由退货。"),
    Case("policy in words", RETURNS, (), "七天之内都可以退的哦。"),
    Case("policy as a week", RETURNS_EN, (), "You have 7 days, that is one week.", language="en"),
    Case("wrong period", RETURNS, (), "签收后15天内可以退货。", "states else"),
    Case("two periods", RETURNS, (), "7天内可退，30天内可换。", "else"),
    Case("policy needs no call", RETURNS, (LIST_CALL,), "签收后7天内可退。", "calls"),
    Case("dispatch", DISPATCH, (), "付款后24小时内发货，发货后2至5天送达。"),
    Case("range bent", DISPATCH, (), "付款后24小时内发货，3至7天送达。", "else"),
    Case("workdays are not days", DISPATCH, (), "付款后24小时内发货，退款3天到账。", "else"),
    Case("payment refused", PAYMENT, (), "暂不支持花呗，可以用支付宝、微信支付和银行卡。"),
    Case("payment denied", PAYMENT, (), "不支持花呗，可以用支付宝。"),
    Case("payment invented", PAYMENT, (), "可以用支付宝、PayPal。", "else"),
    Case("not found", MISSING, (ORDER3,), "没有找到订单ORD20241201003，请核对一下订单号。"),
    Case("another's order told", MISSING, (ORDER3,), "该订单已签收。", "states else"),
    Case("not found, yet told", MISSING, (ORDER3,), "没有找到，不过京东物流显示已签收。", "else"),
    Case(
        "own order",
        MISSING,
        (ORDER3,),
        "没有找到这个订单，您的另一个订单ORD20241201001已发货。",
        "else",
    ),
    Case("list", LISTED, (LIST_CALL,), "您有ORD20241201002（待付款）和ORD20241201001（已发货）。"),
    Case(
        "list with a count",
        LISTED,
        (LIST_CALL,),
        "最近4笔订单：ORD20241201002待付款，ORD20241201001已发货，ORD20241105004已签收，ORD20241018006已退货。",
    ),
    Case(
        "statuses swapped",
        LISTED,
        (LIST_CALL,),
        "ORD20241201002已发货，ORD20241201001待付款。",
        "else",
    ),
    Case(
        "order of another",
        LISTED,
        (LIST_CALL,),
        "ORD20241201002、ORD20241201001和ORD20241201003。",
        "else",
    ),
    Case(
        "lists tell no tracking",
        LISTED,
        (LIST_CALL,),
        "ORD20241201002待付款，ORD20241201001已发货，单号SF123456789CN。",
        "else",
    ),
    Case(
        "list in English",
        LISTED_EN,
        (LIST_CALL,),
        "ORD20241201002 is awaiting payment.\nORD20241201001 has been shipped.",
        language="en",
    ),
    Case("tracking", TRACKING, (ORDER1,), "运单号是SF123456789CN。"),
    Case("tracking cut", TRACKING, (ORDER1,), "运单号是SF12345678。", "states else"),
    Case("unknown fact", COLOUR, (), "抱歉，颜色我暂时无法确认。"),
    Case(
        "unknown fact, looked up",
        COLOUR,
        (product("无线降噪耳机Pro"),),
        "颜色暂时无法确认，无线降噪耳机Pro售价599元，现货128件。",
    ),
    Case("unknown fact invented", COLOUR, (), "有白色的。", "states"),
    Case("arrival unknown", ARRIVAL, (ORDER1,), "订单已发货，明天能不能到暂时无法确认。"),
    Case("arrival invented", ARRIVAL, (ORDER1,), "订单已发货，后天就能到。", "states else"),
    Case(
        "arrival promised",
        ARRIVAL_EN,
        (ORDER1,),
        "It has been shipped and will arrive tomorrow.",
        "states else",
        language="en",
    ),
    Case(
        "arrival declined",
        ARRIVAL_EN,
        (ORDER1,),
        "It's on its way, but I can’t confirm whether it will arrive tomorrow.",
        language="en",
    ),
    Case("sign in", SIGN_IN, (LIST_CALL,), "请先登录后再查询订单。", customer=None),
    Case(
        "not signed in, yet told",
        SIGN_IN,
        (LIST_CALL,),
        "请登录。您的订单ORD20241201001已发货。",
        "else",
        customer=None,
    ),
    Case("asks which", WHICH, (product("机械键盘"),), "您想问的是机械键盘K87还是机械键盘K104？"),
    Case("picks one", WHICH, (product("机械键盘"),), "机械键盘K87是329元。", "states else"),
    Case(
        "asks which in English",
        WHICH_EN,
        (product("wireless mouse"),),
        "Which one do you mean, the Wireless Mouse M1 or the Wireless Mouse M3?",
        language="en",
    ),
    Case("greeting", TALK, (), "在的亲，请问有什么可以帮您？"),
    Case("greeting that offers a product", TALK, (), "在的，无线降噪耳机Pro只要599元。", "else"),
    Case("greeting with a call", TALK, (LIST_CALL,), "在的亲。", "calls"),
    Case(
        "thanks",
        TALK_EN,
        (),
        "You're welcome! Is there anything else I can help you with today?",
        language="en",
    ),
]


def grade(grader: Grader, case: Case) -> Grade:
    dialogue = Dialogue("case", "talk", case.language, case.customer, (case.turn,))
    return grader.grade(dialogue, [Answered(case.answer, case.calls)])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answer(grader: Grader, case: Case) -> None:
    got = grade(grader, case)
    wrong = {
        name
        for name, right in (
            ("calls", got.calls),
            ("states", got.states),
            ("else", got.nothing_else),
        )
        if not right
    }
    assert wrong == set(case.wrong.split()), got.reasons
    assert bool(got.reasons) == bool(wrong)


def test_a_follow_up_may_answer_from_the_earlier_result(grader: Grader) -> None:
    turns = (PRICE, Turn("保修多久", states=(("24个月", "两年"),)))
    dialogue = Dialogue("d", "follow_up", "zh", None, turns)
    answered = [Answered("599元", (product("降噪耳机pro"),)), Answered("保修24个月。")]
    assert grader.grade(dialogue, answered).both


def test_a_turn_that_was_not_reached_is_wrong_in_everything(grader: Grader) -> None:
    dialogue = Dialogue("d", "follow_up", "zh", None, (PRICE, TALK))
    got = grader.grade(dialogue, [Answered("599元", (product("降噪耳机pro"),))])
    assert (got.calls, got.states, got.nothing_else) == (False, False, False)
    assert got.reasons == ["turn 2: not reached"]


def test_an_error_is_wrong_in_everything(grader: Grader) -> None:
    dialogue = Dialogue("d", "talk", "zh", None, (TALK,))
    got = grader.grade(dialogue, [Answered("", (), "APITimeoutError")])
    assert (got.calls, got.states, got.nothing_else) == (False, False, False)
    assert "APITimeoutError" in got.reasons[0]
