"""What the generator of writes knows of the tables: what can be written, keys, what is unique.

Beside ../tables.py, which says what can be read of them. Neither the rules nor the reference are
made from this, so it may name columns that nobody may write: both must refuse those.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.oracle.tables import LINKS, TABLES, Column, Table, table

MADE = (
    table(
        "accounts", "id",
        "id:uuid tenant_id:int code:text level:int credit:num doubled:int names:texts data:json",
    ),
    table(
        "tickets", "id",
        "id:int tenant_id:int account_id:uuid title:text priority:int contact:text state:status "
        "due:date opened:time closed_at:time",
    ),
    table(
        "ticket_lines", "ticket_id line",
        "ticket_id:int line:int tenant_id:int sku:text quantity:int:positive price:num total:num",
    ),
    table(
        "memos", "id",
        "id:int tenant_id:int author_id:int body:text state:text stars:int ticket_id:int "
        "numbers:ints data:json",
    ),
    table("places", "id", "id:int tenant_id:int slug:text region:text size:int open:bool"),
)  # fmt: skip
READABLE = TABLES + MADE
LINKED = (
    *LINKS,
    (("tickets", "account_id"), ("accounts", "id")),
    (("ticket_lines", "ticket_id"), ("tickets", "id")),
    (("memos", "ticket_id"), ("tickets", "id")),
    (("memos", "author_id"), ("users", "id")),
    (("places", "region"), ("products", "category")),
    (("ticket_lines", "quantity"), ("order_items", "quantity")),
)


@dataclass(frozen=True, slots=True)
class Target:
    """A table that is written.

    `insert`, `update`: columns that may be given a value; `needed`: those of `insert` that have no
    default and take no NULL. `soft`: the column that marks a deleted row. `made`: key columns the
    database makes. `masked`: columns the subject sees masks of. `unique`: columns of a unique
    constraint beside the key, and its name; `forbidden`: columns nobody may write. `visible`: an
    SQL condition, of the columns of `{t}`, that holds of the rows one sees.
    """

    table: Table
    insert: tuple[str, ...]
    update: tuple[str, ...]
    needed: tuple[str, ...] = ()
    tenant: str = "tenant_id"
    owner: str = ""
    soft: str = ""
    made: str = ""
    masked: tuple[str, ...] = ()
    unique: tuple[tuple[str, tuple[str, ...]], ...] = ()
    forbidden: tuple[str, ...] = ()
    references: tuple[tuple[str, str], ...] = ()
    visible: str = "{t}.tenant_id = 2"

    @property
    def name(self) -> str:
        """As SQL writes it."""
        return self.table.name

    @property
    def key(self) -> tuple[str, ...]:
        """The primary key; all columns when there is none."""
        return self.table.key

    def column(self, name: str) -> Column:
        """A column by name."""
        return next(c for c in self.table.columns if c.name == name)


def _target(name: str, insert: str, update: str, needed: str = "", **more: object) -> Target:
    found = next(t for t in READABLE if t.name == name)
    made = Target(found, tuple(insert.split()), tuple(update.split()), tuple(needed.split()))
    for field, value in more.items():
        object.__setattr__(made, field, value)
    return made


_MEMO = "body state stars ticket_id numbers data"
_EVENT = "id happened kind amount payload"
TARGETS = (
    _target(
        "users", "id email phone birth_date nick active manager_id age created_at prefs labels",
        "email phone birth_date nick active manager_id age prefs labels",
        "id created_at", soft="deleted_at",
        masked=("email", "full_name", "phone", "birth_date", "balance"),
        forbidden=("full_name", "balance", "created_at", "deleted_at"),
        visible="{t}.tenant_id = 2 AND {t}.deleted_at IS NULL",
    ),
    _target(
        "orders", "id user_id status total note reference due code meta",
        "user_id status total note due meta", "id status reference code",
        forbidden=("reference", "created_at"),
        visible="{t}.tenant_id = 2 AND {t}.status <> 'cancelled'",
    ),
    _target(
        "products", "id sku name price category attrs dims discontinued",
        "name price category attrs dims discontinued", "id sku name discontinued",
        tenant="", unique=(("products_sku_key", ("sku",)),), forbidden=("sku",), visible="true",
    ),
    _target(
        "order_items", "order_id line product_id quantity unit_price discount",
        "product_id quantity unit_price discount", "order_id line quantity",
    ),
    _target("tags", "id name", "name", "id"),
    _target("order_tags", "order_id tag_id", "", "order_id tag_id"),
    _target("events", _EVENT, "kind amount payload", "id happened"),
    _target(
        "events_2026", _EVENT, "kind amount payload", "id happened kind",
        visible="{t}.tenant_id = 2 AND {t}.kind IS NOT NULL",
    ),
    _target("documents", "id title owner_id pages", "title owner_id pages", "id"),
    _target(
        "notes", "id body private score written", "body private score written", "id",
        owner="author_id", visible="{t}.tenant_id = 2 AND {t}.author_id = 12",
    ),
    _target("metrics", "name day value", "name day value"),
    _target(
        "kinds",
        "id small medium large amount words short fixed digits flag day moment data numbers names"
        " state",
        "small medium large amount words short fixed flag day moment data numbers names state",
        "id digits", forbidden=("digits", "token_id"),
        masked=("shape", "prefix", "bucket", "month", "hour", "constant", "twin"),
        visible="{t}.tenant_id = 2 AND ({t}.medium < 900 OR {t}.medium IS NULL)",
    ),
    _target(
        '"Order Log"', '"Id" "group" "select" "Größe"', '"group" "select" "Größe"', '"Id"',
        tenant='"tenantId"', visible='{t}."tenantId" = 2',
    ),
    _target("sales.targets", "id region goal year", "region goal year", "id"),
    _target(
        "accounts", "id code level credit names data", "code level credit names data", "code",
        made="id", unique=(("accounts_code", ("tenant_id", "code")),),
        forbidden=("doubled",),
    ),
    _target(
        "tickets", "id account_id title priority contact state due opened",
        "account_id title priority contact state due", "title", made="id",
        soft="closed_at", masked=("contact",), references=(("account_id", "accounts"),),
        forbidden=("opened", "closed_at"),
        visible="{t}.tenant_id = 2 AND {t}.closed_at IS NULL",
    ),
    _target(
        "ticket_lines", "ticket_id line sku quantity price", "sku quantity price",
        "ticket_id line quantity",
        unique=(("ticket_lines_sku", ("tenant_id", "ticket_id", "sku")),),
        references=(("ticket_id", "tickets"),), forbidden=("total",),
    ),
    _target(
        "memos", _MEMO, _MEMO,
        owner="author_id", made="id", references=(("ticket_id", "tickets"),),
        visible="{t}.tenant_id = 2 AND {t}.author_id = 12 AND {t}.state <> 'locked'",
    ),
    _target(
        "places", "id slug region size open", "slug region size open", made="id",
        unique=(("places_slug_key", ("slug",)),),
    ),
)  # fmt: skip
