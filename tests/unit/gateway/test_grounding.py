"""What may be said and what may not, on one conversation's evidence."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.gateway.assistant.grounding.check import Fault, Grounding
from services.gateway.assistant.grounding.conversation import evidence_of
from services.gateway.assistant.grounding.evidence import Evidence
from services.gateway.assistant.grounding.numerals import fold
from services.gateway.assistant.splitter import ClauseSplitter
from services.gateway.assistant.types import Message
from services.gateway.identity.shops import ShopPolicies, ShopProfile, ShopText

SHIPPED: dict[str, Any] = {
    "order_id": "ORD20241201001", "status": "shipped", "carrier": "顺丰速运",
    "tracking_no": "SF123456789CN", "updated_at": "2024-12-03T08:30:00Z",
    "items": [{"name": "无线降噪耳机Pro", "quantity": 2}],
}  # fmt: skip
UNPAID: dict[str, Any] = {
    "order_id": "ORD20241201002", "status": "awaiting_payment",
    "updated_at": "2024-12-01T10:15:00Z", "items": [{"name": "机械键盘K87", "quantity": 1}],
}  # fmt: skip
HEADPHONES: dict[str, Any] = {
    "product": "无线降噪耳机Pro", "sku": "WH-PRO-001", "price": "599.00", "currency": "CNY",
    "stock": 128, "ships_from": "杭州", "warranty_months": 24,
}  # fmt: skip
KEYBOARD: dict[str, Any] = {
    "product": "Mechanical Keyboard K87", "sku": "KB-087-003", "price": "329.00", "currency": "CNY",
    "stock": 0, "ships_from": "深圳", "warranty_months": 12,
}  # fmt: skip
POLICIES = (
    "签收后7天内支持无理由退货。", "质量问题的退货运费由本店承担，其他原因由买家承担。",
    "订单满99元包邮，不满99元收取8元运费。", "付款后24小时内发货。", "发货后2至5天送达。",
    "支持支付宝、微信支付和银行卡付款。", "人工客服的服务时间是每天9:00到21:00。",
    "You can return any item within 7 days of delivery, no reason needed.",
    "Shipping is free for orders of ¥99 or more, and ¥8 below that.",
    "Orders are dispatched within 24 hours of payment.",
    "Every order can have an electronic invoice, sent by email once you confirm receipt.",
)  # fmt: skip


def grounding(asked: str = "", policies: tuple[str, ...] = POLICIES) -> Grounding:
    evidence = Evidence(texts=tuple(map(fold, policies)), asked=fold(asked))
    evidence.add(SHIPPED, ["ORD20241201001"])
    evidence.add(UNPAID, ["ord20241201002"])
    evidence.add(HEADPHONES, ["无线降噪耳机pro", "the headphones"])
    evidence.add(KEYBOARD, ["k87"])
    evidence.add(
        {"error": "ambiguous_product", "candidates": ["Wireless Mouse M1", "Wireless Mouse M3"]}
    )
    return Grounding(evidence)


def faults(answer: list[str], asked: str = "") -> list[Fault | None]:
    checker = grounding(asked)
    return [checker.check(unit) for unit in answer]


@pytest.mark.parametrize(
    "answer",
    [
        ["无线降噪耳机Pro的价格是¥599.00，", "库存128件，", "从杭州发货，", "保修24个月。"],
        ["无线降噪耳机Pro现在卖五百九十九元，", "有货，", "质保两年。"],
        [
            "The headphones are ¥599; ",
            "we have 128 in stock, ",
            "they ship from Hangzhou, ",
            "and the warranty is 2 years.",
        ],
        ["The K87 costs 329 yuan, ", "but it is out of stock at the moment."],
        [
            "订单ORD20241201001已发货，",
            "顺丰速运，",
            "运单号SF123456789CN，",
            "商品是无线降噪耳机Pro×2。",
        ],
        [
            "Order ORD20241201001 has shipped with SF Express, ",
            "tracking number SF123456789CN; ",
            "it contains 2 × 无线降噪耳机Pro.",
        ],
        ["您的订单ORD20241201002待付款，", "还没有发货。"],
        ["ord20241201002 is awaiting payment, so it hasn't shipped yet."],
        ["ORD20241201001 is on its way; ", "it was last updated on December 3, 2024 at 08:30."],
        ["订单ORD20241201001在12月3日更新过，", "目前在运输中。"],
        ["签收后7天内支持无理由退货。"],
        ["可以的，", "签收后7天内支持无理由退货哦。"],
        ["You can return it within seven days of delivery."],
        ["满99元包邮，", "不满99元收8元运费。"],
        ["Shipping is free for orders of ¥99 or more."],
        ["付款后24小时内发货，", "发货后2至5天送达。"],
        ["我们支持支付宝和微信支付。"],
        ["人工客服每天9:00到21:00在线。"],
        ["Every order can have an electronic invoice."],
        ["抱歉，这一点我暂时无法确认。"],
        ["Sorry, I can't confirm the exact delivery time."],
        ["没有查到订单ORD20991231999，请核对订单号。"],
        ["您好，请问想查订单、商品还是店铺规则？"],
        ["Which one do you mean: Wireless Mouse M1 or Wireless Mouse M3?"],
        ["不客气，有需要随时找我。"],
        ["Goodbye, have a nice day."],
        ["您最近的订单：", "ORD20241201001已发货；", "ORD20241201002待付款。"],
        ["The headphones cost ¥599.00 and the K87 costs ¥329.00."],
    ],
)  # fmt: skip
def test_what_the_evidence_says_may_be_said(answer: list[str]) -> None:
    assert faults(answer, asked="ORD20991231999到哪了") == [None] * len(answer)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (["无线降噪耳机Pro的价格是¥499.00，"], "money"),
        (["无线降噪耳机Pro现在只要三百九十九元。"], "money"),
        (["The headphones are $59."], "money"),
        (["The K87 is ¥599.00."], "money"),
        (["The headphones cost ¥329.00 and the K87 costs ¥599.00."], "money"),
        (["K87有货，"], "stock"),
        (["The K87 is in stock."], "stock"),
        (["无线降噪耳机Pro已经卖完了。"], "stock"),
        (["无线降噪耳机Pro库存还有12件。"], "stock_count"),
        (["We have 500 of the headphones left."], "stock_count"),
        (["从北京发货，"], "ships_from"),
        (["The headphones ship from Shanghai."], "ships_from"),
        (["无线降噪耳机Pro保修5年。"], "period"),
        (["The K87 has a 24-month warranty."], "period"),
        (["订单ORD20241201001已签收。"], "state"),
        (["Order ORD20241201001 has not shipped yet."], "state"),
        (["ORD20241201002 was cancelled."], "state"),
        (["您的订单ORD20241201002已发货，"], "state"),
        (["ORD20241201001 is with UPS."], "carrier"),
        (["订单ORD20241201001由中通快递配送，"], "carrier"),
        (["运单号SF987654321CN。"], "identifier"),
        (["ORD20241201001明天送达。"], "relative_day"),
        (["It will arrive tomorrow."], "relative_day"),
        (["ORD20241201001 will be delivered on December 5."], "date"),
        (["预计12月6日送到。"], "date"),
        (["签收后30天内支持无理由退货。"], "period"),
        (["You can return it within 14 days."], "period"),
        (["订单满199元包邮，"], "money"),
        (["全场包邮，"], "policy"),
        (["All orders have free shipping."], "policy"),
        (["我们支持货到付款。"], "policy"),
        (["You can pay by instalments."], "policy"),
        (["现在打八折。"], "percent"),
        (["There is a 20% discount today."], "percent"),
        (["不支持无理由退货。"], "policy"),
        (["You cannot return any item."], "policy"),
        (["Members get double points."], "policy"),
        (["假一赔十。"], "policy"),
        (["您的订单已退款成功。"], "state"),
    ],
)
def test_what_nothing_supports_is_a_fault(answer: list[str], kind: str) -> None:
    found = [fault for fault in faults(answer) if fault is not None]
    assert [fault.kind for fault in found[:1]] == [kind]


def test_a_customers_own_price_is_never_confirmed() -> None:
    (fault,) = faults(["对，无线降噪耳机Pro是199元。"], asked="耳机是199元对吧")
    assert fault is not None
    assert fault.kind == "money"


@pytest.mark.parametrize("answer", ["Yes, 199.", "对，199。", "Yes, 199 it is."])
def test_nor_is_a_bare_number_of_the_customers(answer: str) -> None:
    (fault,) = faults([answer], asked="the headphones were 199, right? 耳机是199对吧")
    assert fault is not None
    assert fault.text == "199"


@pytest.mark.parametrize(
    ("alias", "answer"),
    [
        ("the headphones pro 199 yuan", "Yes, the headphones pro 199 yuan."),
        ("耳机pro199元", "对，耳机pro199元。"),
        ("599 headphones in stock", "599 headphones in stock, yes."),
        ("已签收的耳机", "已签收的耳机。"),
        ("199", "It is ¥199."),
    ],
)
def test_a_name_by_which_the_customer_asked_confirms_nothing(alias: str, answer: str) -> None:
    evidence = Evidence(asked=fold(alias))
    evidence.add({**HEADPHONES, "stock": 0}, [alias])
    assert Grounding(evidence).check(answer) is not None


def test_an_order_number_in_the_customers_spelling_is_its_name() -> None:
    evidence = Evidence()
    evidence.add(SHIPPED, ["ord 2024-1201-001"])
    evidence.add(UNPAID, ["ORD20241201002"])
    checker = Grounding(evidence)
    assert checker.check("Order ord 2024-1201-001 has shipped.") is None
    assert checker.check("Order ord 2024-1201-001 is awaiting payment.") is not None


@pytest.mark.parametrize("words", ["one ", "一", "one hundred and ", "a "])
def test_a_message_of_number_words_alone_is_folded_in_linear_time(words: str) -> None:
    # In square time this takes minutes, and the test's time limit ends it.
    text = words * (240_000 // len(words))
    assert fold(text) == text


def test_a_customers_own_quantity_may_be_repeated() -> None:
    assert faults(["您要3件，"], asked="我要3件") == [None]


def test_without_any_result_no_order_fact_is_said() -> None:
    checker = Grounding(Evidence(asked=fold("where is my order")))
    fault = checker.check("Your order has shipped.")
    assert fault is not None
    assert fault.kind == "state"


def test_what_was_spoken_of_carries_over_to_the_next_unit() -> None:
    checker = grounding()
    assert checker.check("About the K87: ") is None
    fault = checker.check("it costs ¥599.00.")
    assert fault is not None
    assert fault.kind == "money"


def test_a_tool_of_unknown_shape_is_no_subject_but_its_numbers_are_not_free() -> None:
    evidence = Evidence()
    evidence.add({"points": 120})
    fault = Grounding(evidence).check("You have 999 points.")
    assert fault is not None


TRUE = (
    "Once dispatched, parcels usually arrive in 2 to 5 days.",
    "人工客服每天早上9点到晚上9点在线。",
    "Order ORD20241201001 has not been marked as delivered yet.",
    "The latest update on order ORD20241201001 was on December 3, 2024.",
    "您好，无线降噪耳机Pro目前售价599元，库存充足，可以放心下单哦~",
    "亲，这款耳机（无线降噪耳机Pro）售价为¥599，现有库存128件。",
    "这款耳机从杭州仓发货，保修期为2年。",
    "机械键盘K87目前暂时缺货，价格是329元，保修一年。",
    "K87 is currently sold out. It normally costs ¥329 and comes with a 1-year warranty.",
    "The Wireless headphones WH-PRO-001 are in stock (128 units), priced at ¥599.00.",
    "Your order ORD20241201001 was shipped via SF Express; the tracking number is SF123456789CN.",
    "Your order ORD20241201001 has been shipped and is in transit.",
    "订单ORD20241201001已经由顺丰速运发出，运单号是SF123456789CN，请您耐心等待。",
    "您的订单ORD20241201001包含2件无线降噪耳机Pro，目前已发货。",
    "订单ORD20241201002还未付款，请尽快完成支付。",
    "Order ORD20241201002 is still awaiting payment, so it has not been shipped.",
    "ORD20241201001 was last updated on 2024-12-03.",
    "截至2024年12月3日08:30，订单ORD20241201001的状态为已发货。",
    "It has not been delivered yet.",
    "该订单还没有签收。",
    "您可以在签收后7天内申请无理由退货。",
    "收到货7天内不喜欢可以无理由退货的。",
    "Yes! Returns are accepted within 7 days of delivery, no reason needed.",
    "Sure, you can return it within 7 days after delivery.",
    "如果是质量问题，退货运费由我们承担。",
    "非质量问题的退货运费需要您自己承担哦。",
    "订单满99元就包邮，不满的话收8元运费。",
    "Orders of ¥99 or more ship free; below that shipping is ¥8.",
    "付款后我们会在24小时内发货。",
    "We dispatch orders within 24 hours of payment.",
    "发货后一般2到5天送达。",
    "可以用支付宝、微信支付或者银行卡付款。",
    "可以开电子发票。",
    "Yes, we can send an electronic invoice by email after you confirm receipt.",
    "人工客服服务时间为9:00-21:00。",
    "请问还有什么可以帮您？",
    "Is there anything else I can help you with?",
    "Would you like to know the price or the stock?",
    "很抱歉给您带来不便，请提供订单号，我马上帮您查询。",
    "Please log in so that I can look up your order.",
    "请先登录，我才能帮您查询订单。",
    "抱歉，我没有查到这款商品的颜色信息，暂时无法确认。",
    "I don't have information about the battery life.",
    "The two differ in price: the headphones are ¥599 and the K87 is ¥329.",
    "相比之下，K87更便宜，价格是¥329。",
    "您有两个订单：ORD20241201001已发货，ORD20241201002待付款。",
    "You have 2 recent orders: ORD20241201001 (shipped) and ORD20241201002 (awaiting payment).",
    "抱歉，我只能查询订单，无法代您修改或取消。",
    "Sorry, I can only look orders up, not change or cancel them.",
    "没有找到“蓝牙音箱X9”，请核对商品名称。",
    "I couldn't find order 20991231999; please check the number.",
)
FALSE = (
    "The K87 is ¥99.",  # the number of a shop rule
    "K87只要99元。",
    "The K87 has 7 days of warranty.",
    "Delivery within 7 days.",
    "You can return it within 7 weeks of delivery.",
    "订单ORD20241201001目前已签收。",  # 目前 is no condition
    "您的订单ORD20241201001请放心，已签收。",
    "We don't have free returns.",
    "Our human agents are here until 11 p.m.",
    "人工客服晚上10点还在。",
    "无线降噪耳机Pro售价899元。",
    "这款耳机（无线降噪耳机Pro）现在特价599元。",
    "耳机现在买一送一。",
    "无线降噪耳机Pro库存仅剩3件，欲购从速。",
    "这款耳机从广州仓发货。",
    "无线降噪耳机Pro终身保修。",
    "K87还有现货。",
    "K87明天补货。",
    "The K87 will be back in stock next week.",
    "WH-PRO-001 is sold out.",
    "The headphones cost $599.",
    "The K87 has 45 units left.",
    "Your order ORD20241201001 has been delivered.",
    "Your order ORD20241201001 has been cancelled.",
    "ORD20241201002 has been paid and will ship today.",
    "订单ORD20241201002已付款，正在备货。",
    "订单ORD20241201001预计后天送达。",
    "您的包裹今天下午就能到。",
    "Your parcel should arrive by Friday.",
    "It should reach you within 3 days.",
    "订单ORD20241201001由京东物流承运。",
    "The tracking number is YT7788990011.",
    "快递单号是SF123456780CN。",
    "订单ORD20241201001包含5件无线降噪耳机Pro。",
    "ORD20241201001 was updated on 2024-12-04.",
    "您可以在签收后15天内无理由退货。",
    "You have 30 days to return it.",
    "退货运费全部由我们承担。",
    "所有订单都包邮。",
    "满49元包邮。",
    "Free shipping on orders over ¥59.",
    "付款后12小时内发货。",
    "We ship within 48 hours.",
    "发货后1天送达。",
    "支持花呗分期付款。",
    "We accept PayPal.",
    "We accept cash on delivery.",
    "新会员享受九折优惠。",
    "There's a 10% off coupon for you.",
    "退款会在1个工作日内到账。",
    "Refunds take 24 hours.",
    "您的退款已经到账了。",
    "人工客服24小时在线。",
    "Our agents are available 24/7.",
    "不能开发票。",
    "We don't provide invoices.",
    "商品支持以旧换新。",
    "We offer price protection for 30 days.",
    "我们可以送货到国外。",
    "We ship worldwide.",
    "这款耳机重250克。",
    "The battery lasts 40 hours.",
    "The headphones weigh 250 g.",
    "It comes in three colours.",
    "您有3个订单在路上。",
    "订单已退货成功。",
    "耳机降到了499。",
    "对，是199元。",
    "Yes, 199 is right.",
    "The total of your order is ¥1198.",
    "您这单一共¥1198.00。",
)


def held(line: str) -> list[str]:
    checker = grounding("蓝牙音箱X9 20991231999")
    splitter = ClauseSplitter()
    return [unit for unit in splitter.feed(line) + splitter.flush() if checker.check(unit)]


@pytest.mark.parametrize("line", TRUE)
def test_true_sentences_in_other_words_pass(line: str) -> None:
    assert held(line) == []


@pytest.mark.parametrize("line", FALSE)
def test_false_sentences_in_other_words_do_not(line: str) -> None:
    assert held(line)


def judged(verdict: str) -> list[tuple[dict[str, Any], str, str]]:
    """Return a conversation's evidence, the customer's question and a sentence, for each."""
    text = Path(__file__).with_name("grounding_sentences.yaml").read_text("utf-8")
    return [(talk, *said) for talk in yaml.safe_load(text) for said in talk[verdict]]


def faults_of(conversation: dict[str, Any], question: str, sentence: str) -> list[Fault]:
    evidence = Evidence(texts=tuple(map(fold, conversation["policies"])), asked=fold(question))
    for result in conversation["results"]:
        evidence.add({name: value for name, value in result.items() if value is not None})
    checker, splitter = Grounding(evidence), ClauseSplitter()
    units = splitter.feed(sentence) + splitter.flush()
    return [fault for unit in units if (fault := checker.check(unit)) is not None]


@pytest.mark.parametrize(("conversation", "question", "sentence"), judged("passes"))
def test_what_follows_from_a_conversations_evidence_passes(
    conversation: dict[str, Any], question: str, sentence: str
) -> None:
    assert faults_of(conversation, question, sentence) == []


@pytest.mark.parametrize(("conversation", "question", "sentence"), judged("held"))
def test_what_does_not_is_held(conversation: dict[str, Any], question: str, sentence: str) -> None:
    assert faults_of(conversation, question, sentence)


PASSAGE = (
    "Dawn Radio is a portable radio for the kitchen. The battery lasts 15 hours at half volume. "
    "A full charge takes 4 hours. It weighs 640 g."
)


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("The battery lasts 15 hours at half volume.", True),
        ("It weighs 640 g.", True),
        ("A full charge takes 15 hours.", False),
        ("The battery lasts 4 hours.", False),
        ("It weighs 460 g.", False),
    ],
)
def test_a_passage_found_for_the_question_is_read_sentence_by_sentence(
    sentence: str, found: bool
) -> None:
    profile = ShopProfile(ShopText("店", "Shop"), ShopText("", ""), ShopPolicies((), ()))
    asked = [Message("user", "tell me about the radio")]
    with_it = Grounding(evidence_of(profile, [], asked, {}, (PASSAGE,)))
    assert (with_it.check(sentence) is None) == found
    assert Grounding(evidence_of(profile, [], asked, {})).check(sentence) is not None
