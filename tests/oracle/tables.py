"""What the generator knows of the application: the columns its subject sees, by kind.

A kind is what expressions are made for, a PostgreSQL type or several that mix (int: smallint,
integer, bigint). A trait is something every *visible* row has and rows of others lack, so that an
expression relying on it fails as soon as it sees one row too many.
"""

from __future__ import annotations

from dataclasses import dataclass

# The SQL type literals and parameters of a kind are written with.
TYPES = {
    "int": "integer", "num": "numeric", "text": "text", "bool": "boolean", "date": "date",
    "time": "timestamptz", "uuid": "uuid", "json": "jsonb", "ints": "integer[]",
    "texts": "text[]", "status": "order_status",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a relation or result; `name` as SQL writes it, empty when nothing can name it."""

    name: str
    kind: str
    trait: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A relation the subject sees. `key`: columns that tell its rows apart, all when it has none;
    `primary`: whether they are its primary key."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    primary: bool = True


def table(name: str, key: str, columns: str) -> Table:
    """A relation: its name, its key, `name:kind:trait` of its columns."""
    made = tuple(Column(*each.split(":")) for each in columns.split())
    return Table(name, made, tuple(key.split()) or tuple(c.name for c in made), bool(key))


TABLES = (
    table("tenants", "id", "id:int name:text plan:text"),
    table(
        "users", "id",
        "id:int tenant_id:int email:text full_name:text phone:text birth_date:date balance:num "
        "nick:text active:bool manager_id:int age:int created_at:time deleted_at:time prefs:json "
        "labels:texts",
    ),
    table(
        "orders", "id",
        "id:int tenant_id:int user_id:int status:status total:num note:text reference:text:digits "
        "due:date created_at:time code:uuid meta:json:has_n",
    ),
    table(
        "products", "id",
        "id:int sku:text name:text price:num category:text attrs:json dims:ints discontinued:bool",
    ),
    table(
        "order_items", "order_id line",
        "order_id:int line:int tenant_id:int product_id:int quantity:int:positive unit_price:num "
        "discount:num",
    ),
    table("tags", "id", "id:int tenant_id:int name:text"),
    table("order_tags", "order_id tag_id", "order_id:int tag_id:int tenant_id:int"),
    table(
        "events", "id happened",
        "id:int tenant_id:int happened:date kind:text amount:int payload:json",
    ),
    table(
        "events_2026", "id happened",
        "id:int tenant_id:int happened:date kind:text amount:int payload:json",
    ),
    table("documents", "id", "id:int tenant_id:int title:text owner_id:int pages:int"),
    table(
        "contracts", "id",
        "id:int tenant_id:int title:text owner_id:int pages:int party:text signed:date",
    ),
    table(
        "notes", "id",
        "id:int tenant_id:int author_id:int body:text private:bool score:int written:time",
    ),
    table("metrics", "", "tenant_id:int name:text day:date value:int"),
    table(
        "kinds", "id",
        "id:int tenant_id:int small:int medium:int large:int amount:num words:text short:text "
        "fixed:text digits:text:digits token_id:uuid flag:bool day:date moment:time data:json "
        "numbers:ints names:texts state:status shape:text prefix:text bucket:num month:date "
        "hour:time constant:text twin:uuid",
    ),
    table(
        '"Order Log"', '"Id"', '"Id":int "tenantId":int "group":text "select":int "Größe":num'
    ),
    table("sales.targets", "id", "id:int tenant_id:int region:text goal:num year:int"),
)  # fmt: skip

# Columns that are often compared with one another: (table, column).
LINKS = (
    (("orders", "user_id"), ("users", "id")),
    (("users", "manager_id"), ("users", "id")),
    (("order_items", "order_id"), ("orders", "id")),
    (("order_items", "product_id"), ("products", "id")),
    (("order_tags", "order_id"), ("orders", "id")),
    (("order_tags", "tag_id"), ("tags", "id")),
    (("notes", "author_id"), ("users", "id")),
    (("documents", "owner_id"), ("users", "id")),
    (("contracts", "owner_id"), ("users", "id")),
    (("events", "kind"), ("tags", "name")),
    (("events_2026", "id"), ("events", "id")),
    (("kinds", "medium"), ("users", "age")),
    (("kinds", "words"), ("users", "nick")),
    (("metrics", "name"), ("events", "kind")),
    (('"Order Log"', '"select"'), ("order_items", "quantity")),
    (("sales.targets", "region"), ("products", "category")),
)
