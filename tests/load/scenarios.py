"""What users do: who asks what, in which session, after which pause. No HTTP and no clock here.

A user's behaviour is an iterator of steps; whoever plays it asks, waits, and asks again after a
429. Questions are about the sample shop that `make run` loads, its customer alice included.
"""

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice

HOT_QUESTION = "无线降噪耳机Pro多少钱？"
"""What everybody asks at once: a price that has to be looked up."""


@dataclass(frozen=True, slots=True)
class Step:
    """One question, and the pause after its answer.

    Attributes:
        text: the question.
        session: the conversation it belongs to.
        signed_in: whether the customer's token goes with it.
        group: what it is reported under.
        pause_s: think time after the answer.

    """

    text: str
    session: str
    signed_in: bool = False
    group: str = ""
    pause_s: float = 0.0


Behaviour = Callable[[random.Random], Iterator[Step]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A number of users who behave alike.

    Attributes:
        name: as given to --only, and in the table.
        about: one line for the table's reader.
        users: how many, all at once.
        seconds: how long new questions are asked; None: until the behaviour ends.
        behaviour: makes one user's steps.

    """

    name: str
    about: str
    users: int
    seconds: float | None
    behaviour: Behaviour


def scenarios(seconds: float | None, questions: int) -> list[Scenario]:
    """Return all scenarios in the order they are run.

    Args:
        seconds: how long each loaded one lasts; None: 60 s, and 45 s in one session.
        questions: how many the single user asks in each language.

    """
    # The session's name is new in each run: an old run's history must not be in the prompt.
    shared = new_session()
    return [
        Scenario(
            "one-user",
            f"one user, no load, {questions} questions a language that need a tool",
            1,
            None,
            lambda _: one_user(questions),
        ),
        Scenario(
            "mixed", "20 users, 2-6 s of think time, both languages", 20, seconds or 60.0, mixed
        ),
        Scenario("hot-50", "50 users, one hot question, a session each", 50, seconds or 60.0, hot),
        Scenario(
            "hot-one-session",
            "50 users in one session, which take turns; a 429 is retried after Retry-After",
            50,
            seconds or 45.0,
            lambda _: hot_in(shared),
        ),
    ]


def new_session() -> str:
    """Return a session id that nobody has used."""
    return f"load-{uuid.uuid4().hex}"


def hot(_: random.Random) -> Iterator[Step]:
    """Ask the hot question again and again in a session of one's own."""
    return hot_in(new_session())


def hot_in(session: str) -> Iterator[Step]:
    """Ask the hot question again and again in this session."""
    return cycle([Step(HOT_QUESTION, session)])


def one_user(questions: int) -> Iterator[Step]:
    """Ask questions that need a tool: one language, then the other, each in a new session."""
    for group, texts in (("zh", ONE_USER_ZH), ("en", ONE_USER_EN)):
        for text in islice(cycle(texts), questions):
            yield Step(text, new_session(), signed_in=True, group=group)


def mixed(rng: random.Random) -> Iterator[Step]:
    """Hold short conversations of all kinds, with think time, for ever."""
    # Customers who know what they want come at different moments.
    first = True
    while True:
        (talk,) = rng.choices(TALKS, weights=[talk.weight for talk in TALKS])
        session = new_session()
        for line in rng.choice(talk.conversations):
            pause_s = rng.uniform(2.0, 6.0) * (rng.random() if first else 1.0)
            first = False
            yield Step(line, session, signed_in=talk.signed_in, pause_s=pause_s)


@dataclass(frozen=True, slots=True)
class Talk:
    """A kind of conversation."""

    weight: int
    signed_in: bool
    conversations: tuple[tuple[str, ...], ...]


TALKS = (
    Talk(
        3,
        True,
        (
            ("我的订单ORD20241201001到哪了？",),
            ("帮我查一下ORD20241105004签收了没",),
            ("订单ORD20241201002现在什么状态？",),
            ("我最近买的东西发货了吗",),
        ),
    ),
    Talk(
        2,
        True,
        (
            ("Where is my order ORD20241201001?",),
            ("Has ORD20241105004 been delivered yet?",),
            ("What's the status of ORD20241201002?",),
            ("Where's my order?",),
        ),
    ),
    Talk(
        3,
        False,
        (
            ("机械键盘K87多少钱？",),
            ("智能手环还有货吗？",),
            ("护眼台灯保修多久？",),
            ("AX3000双频路由器从哪里发货？",),
        ),
    ),
    Talk(
        2,
        False,
        (
            ("How much is the Air Purifier?",),
            ("Is the Electric Kettle in stock?",),
            ("How long is the warranty on the 2K Webcam?",),
            ("Where does the Smart Watch S2 ship from?",),
        ),
    ),
    Talk(2, False, (("签收后几天可以退货？",), ("满多少包邮？",), ("能开发票吗？",))),
    Talk(
        1,
        False,
        (
            ("How many days do I have to return something?",),
            ("What payment methods do you accept?",),
        ),
    ),
    Talk(
        2,
        False,
        (
            ("无线降噪耳机Pro多少钱？", "那它保修多久？"),
            ("便携蓝牙音箱有货吗？", "多少钱？", "好的，谢谢"),
        ),
    ),
    Talk(
        1,
        False,
        (
            ("How much are the Wireless Noise-Cancelling Headphones Pro?", "And the warranty?"),
            ("Is the Fitness Band in stock?", "How much is it?", "Thanks!"),
        ),
    ),
)

ONE_USER_ZH = (
    "无线降噪耳机Pro多少钱？",
    "我的订单ORD20241201001到哪了？",
    "真无线运动耳机还有货吗？",
    "机械键盘K87多少钱？",
    "订单ORD20241201002现在什么状态？",
    "无线鼠标M1保修多久？",
    "27英寸4K显示器从哪里发货？",
    "帮我查一下ORD20241105004签收了没",
    "10000毫安移动电源多少钱？",
    "65瓦氮化镓充电器有货吗？",
    "便携蓝牙音箱卖多少钱？",
    "智能手表S2保修多久？",
    "我最近的订单都有哪些？",
    "智能手环还有货吗？",
    "11英寸平板电脑多少钱？",
    "2K高清摄像头从哪里发货？",
    "订单ORD20241018006是什么状态？",
    "护眼台灯多少钱？",
    "扫地机器人有货吗？",
    "电热水壶保修多久？",
)
ONE_USER_EN = (
    "How much are the Wireless Noise-Cancelling Headphones Pro?",
    "Where is my order ORD20241201001?",
    "Are the True Wireless Sports Earbuds in stock?",
    "How much is the Mechanical Keyboard K87?",
    "What's the status of order ORD20241201002?",
    "How long is the warranty on the Wireless Mouse M1?",
    "Where does the 27-inch 4K Monitor ship from?",
    "Has order ORD20241105004 been delivered?",
    "What does the 10000mAh Power Bank cost?",
    "Do you have the 65W GaN Charger in stock?",
    "How much is the Portable Bluetooth Speaker?",
    "How long is the warranty on the Smart Watch S2?",
    "Can you list my recent orders?",
    "Is the Fitness Band in stock?",
    "How much is the 11-inch Tablet?",
    "Where does the 2K Webcam ship from?",
    "What's the status of order ORD20241018006?",
    "How much is the Eye-Care Desk Lamp?",
    "Is the Robot Vacuum Cleaner in stock?",
    "How long is the warranty on the Electric Kettle?",
)
