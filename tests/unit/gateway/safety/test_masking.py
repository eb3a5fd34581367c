import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.safety.masking import NEVER_NEEDED, Masker

MASKER = Masker()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("我电话13812345678打给我", "我电话[电话]打给我"),
        ("手机 138-1234-5678", "手机 [电话]"),
        ("手机１３８１２３４５６７８", "手机[电话]"),
        ("打+86 139 1234 5678吧", "打[电话]吧"),
        ("座机010-62345678转12", "座机[电话]"),
        ("拨400-820-8820", "拨[电话]"),
        ("call me at (415) 555-2671.", "call me at [phone]."),
        ("my number is +44 20 7946 0958", "my number is [phone]"),
        ("身份证11010519491231002X核一下", "身份证[身份证号]核一下"),
        ("邮箱abc.def@qq.com谢谢", "邮箱[邮箱]谢谢"),
        ("mail: jo+shop@mail.example.co.uk", "mail: [e-mail]"),
        ("卡号6222 0212 3456 7890 128", "卡号[银行卡号]"),
        ("card 4111-1111-1111-1111 please", "card [card number] please"),
        ("IBAN GB82 WEST 1234 5698 7654 32", "IBAN [card number]"),
        ("护照号E12345678", "护照号[护照号]"),
        ("寄到北京市朝阳区建国路88号3栋2单元1201室", "[地址]"),
        ("地址：浙江省杭州市西湖区文三路90号", "地址：[地址]"),
        ("地址：上海浦东新区张江镇碧波路500弄12号", "地址：[地址]"),
        ("to 742 Evergreen Terrace, Springfield", "to [address]"),
        ("to 10 Downing Street, London SW1A 2AA", "to [address]"),
    ],
)
def test_personal_data_is_masked(text: str, masked: str) -> None:
    assert MASKER.mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "订单ORD20241201001到哪了",
        "运单SF1234567890",
        "订单号是 2024120100123456",
        "order 88123456789012 please",
        "27寸4K显示器和K87键盘、AX3000路由器",
        "199.00元，满99元包邮，7天无理由",
        "2026-11-24 12:30发的",
        "２０２４年１２月１日买的",
        "快递在路上吗，到哪个街道了",
        "I paid 1,299.00 on 24 Nov 2026 for 2 pieces",
        "身份证110105194912310021",  # Its check digit is wrong.
        "卡号6222021234567890123",  # Likewise.
    ],
)
def test_what_is_no_personal_data_stays(text: str) -> None:
    assert MASKER.mask(text) == text


def test_what_the_shop_knows_stays() -> None:
    text = "订单13812345678和我的电话13912345678"
    assert MASKER.mask(text, keep={"13812345678"}) == "订单13812345678和我的电话[电话]"


def test_kinds_can_be_chosen() -> None:
    text = "电话13812345678，邮箱a@b.cn"
    assert MASKER.kinds(text) == ["phone", "email"]
    assert MASKER.mask(text, kinds=NEVER_NEEDED) == "电话13812345678，邮箱[邮箱]"


@given(
    before=st.text("我的电话是打给吧，。 ", max_size=6),
    number=st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    after=st.text("谢谢号码请回，。 ", max_size=6),
)
def test_no_digit_of_a_phone_number_survives(before: str, number: str, after: str) -> None:
    masked = MASKER.mask(before + number + after)
    assert not any(char.isdigit() for char in masked)
    assert MASKER.mask(masked) == masked
