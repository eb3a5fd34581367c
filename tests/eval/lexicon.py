"""The words by which the grader recognises statements: statuses, stock, carriers, cities, refusals.

All patterns are for texts in the normal form of tests/eval/text.py. Order matters within a list:
what an earlier pattern took is not seen by a later one.
"""

import re

# Words before a status word that make it a condition or a question, and no statement.
CONDITION = re.compile(
    r"(?:是否|有没有|如果|若|一旦|等到?"
    r"|\b(?:once|after|when|until|unless|if|before|whether)(?: [\w']+){0,3} "
    r"|\b(?:will|can|may|must|should|could|to) (?:\w+ )?be |\bcan(?:not|'t) be |\bget )$"
)
_ALL = frozenset(
    {"awaiting_payment", "processing", "shipped", "delivered", "cancelled", "returned"}
)
_NOT_SENT = frozenset({"awaiting_payment", "processing", "cancelled"})
_GENERIC = r"(?!的(?!是)|之?后|以后|when|once)"
_NO_ZH = r"(?:还没有?|没有|没|未|尚未|还未|暂未|并未)"
_NO_EN = r"(?:\bnot|n't|\bnever|\byet to be|\bnot yet)(?: yet)?(?: been| being)? "

# pattern -> the statuses of an order of which it is true
STATUS: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = tuple(
    (re.compile(pattern), statuses)
    for pattern, statuses in (
        (rf"{_NO_ZH}(?:发货|发出|寄出|出库)|(?:待|等待|准备|即将)发货", _NOT_SENT),
        (
            rf"{_NO_ZH}(?:被)?(?:签收|送达|送到|到货)|待收货",
            frozenset(_ALL - {"delivered", "returned"}),
        ),
        (
            rf"待(?:付款|支付)|等(?:待)?(?:您|你|买家)?(?:付款|支付)|{_NO_ZH}(?:付款|支付|付)",
            frozenset({"awaiting_payment"}),
        ),
        (rf"{_NO_ZH}(?:被)?取消", frozenset(_ALL - {"cancelled"})),
        (rf"{_NO_ZH}(?:退货|退回)", frozenset(_ALL - {"returned"})),
        (r"处理中|正在处理|在处理|备货|配货|打包中|准备中", frozenset({"processing"})),
        (
            rf"已经?(?:由.{{1,8}}?)?(?:发货|发出|寄出|出库|揽收){_GENERIC}|(?:发货|寄出|发出)了"
            r"|在途|(?:运输|配送|派送|派件)(?:途)?中|在路上|正在(?:运输|配送|派送)",
            frozenset({"shipped"}),
        ),
        (
            rf"(?:已经?|被)(?:被|成功)?(?:签收|送达|送到|妥投|收货){_GENERIC}|(?:签收|送达|送到|收货)了",
            frozenset({"delivered"}),
        ),
        (rf"(?:已经?|被)(?:被)?取消{_GENERIC}|取消了|交易关闭|已关闭", frozenset({"cancelled"})),
        (
            rf"(?:已经?|被)(?:被)?退(?:货|回){_GENERIC}|退货(?:完成|成功|了)|退回了",
            frozenset({"returned"}),
        ),
        (r"(?:已经?|被)退款|退款(?:完成|成功|了)", frozenset()),
        (rf"{_NO_EN}(?:shipped|dispatched|sent)|awaiting (?:shipment|dispatch)", _NOT_SENT),
        (rf"{_NO_EN}(?:delivered|arrived)", frozenset(_ALL - {"delivered", "returned"})),
        (
            rf"(?:awaiting|waiting for|waiting on|pending)(?: your)? payment|unpaid|{_NO_EN}paid"
            r"|payment (?:is |has )?(?:still )?(?:pending|not)",
            frozenset({"awaiting_payment"}),
        ),
        (rf"{_NO_EN}cancell?ed", frozenset(_ALL - {"cancelled"})),
        (rf"{_NO_EN}(?:returned|sent back)", frozenset(_ALL - {"returned"})),
        (r"\bprocessing\b|\b(?:being|still) (?:processed|prepared)", frozenset({"processing"})),
        (
            r"\b(?:shipped|dispatched)\b(?! (?:from|within|items|orders))|\bon (?:its|the) way\b"
            r"|\bin transit\b|\bout for delivery\b|\ben route\b",
            frozenset({"shipped"}),
        ),
        (
            r"\bdelivered\b(?! (?:within|items|orders))|\b(?:has|have) arrived\b|\bsigned for\b",
            frozenset({"delivered"}),
        ),
        (r"\bcancell?ed\b(?! (?:items|orders))", frozenset({"cancelled"})),
        (
            r"\b(?:returned|sent back)\b(?! (?:items|goods|orders|within))",
            frozenset({"returned"}),
        ),
        (r"\b(?:been|was|is|already) refunded\b", frozenset()),
    )
)

STOCK: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), which)
    for pattern, which in (
        (
            r"缺货|(?:没有|没|暂无|无|不是)(?:现货|货|库存)|售罄|卖完|卖光|断货"
            r"|库存(?:量)?(?:为|是|只有|:)?0(?!\d)|(?<!\d)0库存"
            r"|\bout of stock\b|\bsold out\b|\bno stock\b|\bnone left\b"
            r"|(?:\bnot|n't|\bno(?:ne|thing)?)(?: currently| now| units?)? in stock"
            r"|\b0 (?:units? )?(?:in stock|left)",
            "out",
        ),
        (r"有(?:现)?货|现货|库存充[足裕]|有库存|\bin stock\b", "in"),
    )
)

# canonical name -> how it is written; the first four are the sample shop's
CARRIERS: dict[str, tuple[str, ...]] = {
    "顺丰速运": ("顺丰", "sf express", "sf-express", "shunfeng"),
    "京东物流": ("京东", "jd logistics", "jd express", "jingdong"),
    "中通快递": ("中通", "zto"),
    "圆通速递": ("圆通", "yto"),
    "韵达": ("韵达", "yunda"),
    "申通": ("申通", "sto express"),
    "极兔": ("极兔", "j&t"),
    "邮政": ("邮政", "ems", "china post"),
    "德邦": ("德邦", "deppon"),
    "菜鸟": ("菜鸟", "cainiao"),
    "fedex": ("fedex", "联邦快递"),
    "dhl": ("dhl",),
    "ups": ("ups",),
}

_CITIES = (
    "杭州/hangzhou 深圳/shenzhen 东莞/dongguan 苏州/suzhou 惠州/huizhou 广州/guangzhou "
    "厦门/xiamen 成都/chengdu 武汉/wuhan 宁波/ningbo 佛山/foshan 景德镇/jingdezhen "
    "永康/yongkang 北京/beijing 上海/shanghai 义乌/yiwu 重庆/chongqing 天津/tianjin "
    "南京/nanjing 西安/xian 长沙/changsha 郑州/zhengzhou 青岛/qingdao 合肥/hefei "
    "福州/fuzhou 昆明/kunming 香港/hongkong 温州/wenzhou 中山/zhongshan 珠海/zhuhai"
)
CITIES: dict[str, tuple[str, ...]] = {
    zh: (zh, en) for zh, en in (pair.split("/") for pair in _CITIES.split())
}

CHINESE_NAMES = re.compile(
    "|".join(
        sorted([*CARRIERS, *CITIES, *(names[0] for names in CARRIERS.values())], key=len)[::-1]
    )
)

# Ways to pay that shops are asked for.
PAYMENTS: dict[str, tuple[str, ...]] = {
    "alipay": ("支付宝", "alipay"),
    "wechat": ("微信", "wechat"),
    "card": ("银行卡", "bank card"),
    "huabei": ("花呗", "huabei"),
    "cod": ("货到付款", "cash on delivery", "pay on delivery"),
    "paypal": ("paypal",),
    "applepay": ("apple pay", "applepay"),
    "unionpay": ("云闪付", "unionpay"),
    "baitiao": ("白条",),
    "instalments": ("分期", "instalment", "installment"),
}

RELATIVE_DAY = re.compile(
    r"今[天日晚](?!有什么|想|需要|能|可以|为)|明[天日]|后天|大后天|昨[天日]|前天|[这下上本](?:个)?(?:周|星期|礼拜|月)"
    r"|(?:周|星期|礼拜)[一二三四五六日天]|(?:月底|月初|年底|年初|明年|去年)"
    r"|\btoday\b(?!\s*[?!.]?$)|\btonight\b|\btomorrow\b|\byesterday\b"
    r"|\b(?:next|last|this) (?:week|weekend|month|year|\w+day)\b"
    r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b"
)

# "Can't confirm" and its like: wrong where the shop's data holds the answer.
CANT_CONFIRM = re.compile(
    r"(?:无法|不能|没法|没办法|难以|未能|不便)(?:为[您你]|帮[您你]|给[您你]|向[您你]|直接|准确|马上|立即)*"
    r"(?:确认|确定|查|提供|回答|得知|告知|告诉|判断|给出|保证|核实|获取|看到|找到|了解|说明)"
    r"|(?:没有|没|未|暂未|未能|没能)(?:能)?(?:查询到|查询|查到|找到|搜到|搜索到|检索到)"
    r"|(?:确认|查|答)不了|(?:查|找|查询|看|搜)不到|不(?:太)?(?:清楚|确定|知道|了解)"
    r"|(?:没有|暂无|暂时没有|缺少|无)(?:相关|这方面|这个|该|此|对应|具体|更多|.{0,8}的)*"
    r"(?:信息|资料|数据|记录)"
    r"|\b(?:can't|cannot|can not|couldn't|could not|(?:un|not |\w*n't |\w*n't be )able to)"
    r"(?: [\w']+){0,2}? "
    r"(?:confirm|find|verify|tell|say|provide|check|see|locate|access|look|answer|give|guarantee)"
    r"|\b(?:don't|do not|doesn't) (?:\w+ )?have (?:[\w']+ ){0,4}"
    r"(?:information|info|details?|data|records?)"
    r"|\b(?:don't|do not) (?:\w+ )?know\b|\bnot (?:\w+ )?sure\b|\bno (?:\w+ )?information\b"
    r"|\b(?:is not|isn't|are not|aren't|was not|wasn't) (?:\w+ )?(?:found|confirmed)"
)

# Everything else that declines, asks to sign in or asks which.
DECLINES = re.compile(
    CANT_CONFIRM.pattern + r"|无法|不能|没法|帮不了|做不到|办不到|不支持|不提供|登录|登陆|登入"
    r"|哪(?:一)?(?:款|个|种|件|单|笔|台|些)|还是|不存在|没有(?:这|该|此|您|你)|不卖|没有卖|没卖|暂无"
    r"|\b(?:sign|signed|signing|log|logged|logging)[ -]?in\b|\bwhich\b|\bdid you mean\b"
    r"|\b(?:can't|cannot|unable|not able)\b|\bno (?:such|matching)\b|\b(?:doesn't|does not) exist\b"
    r"|\bnot found\b|\b(?:don't|do not) (?:\w+ )?(?:sell|carry|stock|offer|have)\b"
    r"|\bno (?:order|product|record)s?\b"
)

# A model's machinery: markup, JSON, field and error names.
RAW = re.compile(r'<\|?/?[a-z_]+|[{\[]\s*["{]|"\w+"\s*:|\b[a-z]+_[a-z_]+\b|```')
