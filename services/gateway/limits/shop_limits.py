"""What a shop's file may limit."""

import msgspec


class ShopLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a shop's file sets under `limits`; 0 switches a limit off.

    The defaults let a person type as fast as they can and stop a script: nobody asks a shop one
    question a second for a minute.
    """

    shop_per_minute: int = 6000
    customer_per_minute: int = 60
    session_per_minute: int = 60
    address_per_minute: int = 120
    customer_tokens_per_day: int = 200_000

    def __post_init__(self) -> None:
        """Refuse what is no limit.

        Raises:
            ValueError: a negative number.
        """
        for name in self.__struct_fields__:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 (no limit) or more")
