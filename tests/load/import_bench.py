"""How long an import of many orders takes and how much memory: on SQLite and on PostgreSQL.

Run: python -m tests.load.import_bench [--orders 1000000]
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support.postgres import postgres_server

_PRODUCTS = 1000


def write_shop(folder: Path, orders: int) -> None:
    """Write products.csv, orders.csv and items.csv, one item an order."""
    with (folder / "products.csv").open("w", encoding="utf-8") as out:
        out.write(
            "sku,name_zh,name_en,price,currency,stock,ships_from,warranty_months,description\n"
        )
        for n in range(_PRODUCTS):
            out.write(f"SKU-{n},商品{n}号,Product No {n},{n}.90,CNY,{n},杭州,12,说明\n")
    start = datetime(2024, 1, 1, tzinfo=UTC)
    with (
        (folder / "orders.csv").open("w", encoding="utf-8") as out,
        (folder / "items.csv").open("w", encoding="utf-8") as items,
    ):
        out.write(
            "order_id,customer_id,status,carrier,tracking_no,placed_at,updated_at,total,currency\n"
        )
        items.write("order_id,sku,quantity,unit_price\n")
        for n in range(orders):
            moment = (start + timedelta(seconds=n)).isoformat()
            out.write(
                f"ORD-{n:09d},customer{n % 50_000},shipped,顺丰速运,SF{n:012d},"
                f"{moment},{moment},{n % 900}.90,CNY\n"
            )
            items.write(f"ORD-{n:09d},SKU-{n % _PRODUCTS},1,{n % 900}.90\n")


def measure(url: str, folder: Path, *files: str) -> tuple[float, float, float]:
    """Import in a process of its own: seconds, its CPU seconds, its peak memory in MiB."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "services.tools.importer", "--shop", "bench"),
            *(f"--{name}={folder / name}.csv" for name in files),
        ],
        env={**os.environ, "DATABASE_URL": url},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the import failed with {process.returncode}")
    assert isinstance(usage, resource.struct_rusage)
    seconds = time.perf_counter() - started
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    """Print a table: first import, the same again, by database."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["SQLite", "PostgreSQL"])
    options = parser.parse_args()
    orders: int = options.orders
    with tempfile.TemporaryDirectory() as temporary, postgres_server() as postgres:
        folder = Path(temporary)
        write_shop(folder, orders)
        with postgres.create() as postgres_url:
            urls = {"SQLite": f"sqlite+aiosqlite:///{folder}/shop.db", "PostgreSQL": postgres_url}
            print(f"{orders} orders; and as many items in the runs marked +items")
            for name, url in urls.items():
                if options.only not in {None, name}:
                    continue
                for label, files in (
                    ("products, orders", ("products", "orders")),
                    ("again", ("products", "orders")),
                    ("+items", ("items",)),
                ):
                    seconds, cpu_s, peak = measure(url, folder, *files)
                    took = f"{seconds:6.1f} s (CPU {cpu_s:5.1f} s)"
                    print(f"{name:10} {label:16} {took} {peak:5.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
