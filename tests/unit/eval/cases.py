"""Turns, calls and the shape of a case for the grader's tests."""

from dataclasses import dataclass

from tests.eval.dialogues import ExpectedCall, Turn
from tests.eval.grader import MadeCall


def order_call(*numbers: str) -> ExpectedCall:
    return ExpectedCall("query_order_status", {"order_id": numbers})


def product_call(*spellings: str) -> ExpectedCall:
    return ExpectedCall("query_inventory", {"product": spellings})


LIST = ExpectedCall("list_recent_orders", {})
SHIPPED = Turn(
    "ORD20241201001 到哪了", (order_call("ORD20241201001"),), states=(("已发货", "运输中"),)
)
SHIPPED_EN = Turn(
    "where is ord20241201001",
    (order_call("ORD20241201001"),),
    states=(("shipped", "on its way"),),
)
UNPAID = Turn(
    "ORD20241201002 咋样了", (order_call("ORD20241201002"),), states=(("待付款", "等待付款"),)
)
PRICE = Turn("降噪耳机pro多少钱", (product_call("降噪耳机pro", "WH-PRO-001"),), states=(("599",),))
PRICE_EN = Turn(
    "how much is the headphones pro",
    (product_call("headphones pro", "WH-PRO-001"),),
    states=(("599",),),
)
STOCK_EN = Turn(
    "is the sports earbuds in stock",
    (product_call("sports earbuds", "TW-SPT-002"),),
    states=(("in stock", "64"),),
)
SOLD_OUT = Turn("K104有货吗", (product_call("k104", "KB-104-004"),), states=(("缺货", "无货"),))
WARRANTY = Turn(
    "台灯保修多久", (product_call("台灯", "LP-EYE-019"),), states=(("24个月", "2年", "两年"),)
)
COMPARE = Turn(
    "K87和K104哪个便宜",
    (product_call("K87", "KB-087-003"), product_call("K104", "KB-104-004")),
    states=(("329",), ("399",)),
)
COMPARE_EN = Turn(
    "K87 or K104, which is cheaper",
    (product_call("K87", "KB-087-003"), product_call("K104", "KB-104-004")),
    states=(("329",), ("399",)),
)
RETURNS = Turn("几天能退", states=(("7天", "七天"),))
DISPATCH = Turn("付款后多久发", states=(("24小时",),))
RETURNS_EN = Turn("how long do i have to send it back", states=(("7 days", "seven days"),))
MISSING = Turn(
    "ORD20241201003 到了吗",
    (order_call("ORD20241201003"),),
    states=(("没有找到", "没找到", "查不到", "未找到"),),
    declines=True,
)
LISTED = Turn("我的订单有哪些", (LIST,), states=(("ORD20241201002",), ("ORD20241201001",)))
LISTED_EN = Turn("list my orders", (LIST,), states=(("ORD20241201002",), ("ORD20241201001",)))
TRACKING = Turn(
    "ORD20241201001 运单号", (order_call("ORD20241201001"),), states=(("SF123456789CN",),)
)
COLOUR = Turn(
    "无线降噪耳机Pro有白色吗",
    may_call=(product_call("无线降噪耳机Pro", "WH-PRO-001"),),
    declines=True,
)
ARRIVAL = Turn(
    "ORD20241201001 明天能到吗",
    may_call=(order_call("ORD20241201001"),),
    declines=True,
)
ARRIVAL_EN = Turn(
    "will ORD20241201001 arrive tomorrow?",
    may_call=(order_call("ORD20241201001"),),
    declines=True,
)
SIGN_IN = Turn("我的订单呢", may_call=(LIST,), states=(("登录",),), declines=True)
WHICH = Turn("机械键盘多少钱", (product_call("机械键盘"),), states=(("哪", "还是"),), declines=True)
WHICH_EN = Turn("price of the wireless mouse", (product_call("wireless mouse"),), declines=True)
TALK = Turn("在吗")
TALK_EN = Turn("thanks!")
PLACE_EN = Turn(
    "where does the power bank 10000mAh ship from",
    (product_call("power bank 10000mAh", "PB-10K-008"),),
    states=(("惠州", "Huizhou"),),
)
PAYMENT = Turn("能用花呗吗", states=(("支付宝",),))

ORDER1 = MadeCall("query_order_status", {"order_id": "ORD20241201001"})
ORDER2 = MadeCall("query_order_status", {"order_id": "ORD20241201002"})
ORDER3 = MadeCall("query_order_status", {"order_id": "ORD20241201003"})
LIST_CALL = MadeCall("list_recent_orders", {})


def product(text: str) -> MadeCall:
    return MadeCall("query_inventory", {"product": text})


@dataclass(frozen=True)
class Case:
    """An answer and what is wrong with it: some of `calls`, `states`, `else`; nothing if right."""

    name: str
    turn: Turn
    calls: tuple[MadeCall, ...]
    answer: str
    wrong: str = ""
    customer: str | None = "alice"
    language: str = "zh"


K87, K104 = product("K87"), product("K104")
