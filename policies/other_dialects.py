"""Functions of other databases, and what PostgreSQL has for them: hints for names it does not know.

A hint depends on the name alone, so it says nothing of the database.
"""

from __future__ import annotations

_NOW = "write CURRENT_TIMESTAMP or now()"
_FORMAT = "write to_char(x, 'YYYY-MM-DD'), or extract(year FROM x) for a number"
_DIFFERENCE = "subtract: a::date - b::date gives days, age(a, b) an interval"
_ADD = "add an interval: x + interval '1 day'"
_IF = "write CASE WHEN condition THEN a ELSE b END"
_POSITION = "write strpos(string, part) or position(part IN string)"
_GROUP = "write string_agg(x::text, ',' ORDER BY x)"

INSTEAD: dict[str, str] = {
    **dict.fromkeys(("ifnull", "isnull", "nvl"), "write coalesce(a, b)"),
    **dict.fromkeys(("if", "iif"), _IF),
    "nvl2": "write CASE WHEN a IS NOT NULL THEN b ELSE c END",
    **dict.fromkeys(("strftime", "date_format", "time_format"), _FORMAT),
    **dict.fromkeys(("datediff", "timestampdiff", "julianday", "to_days"), _DIFFERENCE),
    **dict.fromkeys(("dateadd", "adddate", "subdate", "date_sub", "timestampadd"), _ADD),
    **dict.fromkeys(("getdate", "sysdate", "sysdatetime", "getutcdate", "systimestamp"), _NOW),
    **dict.fromkeys(("curdate", "utc_date"), "write CURRENT_DATE"),
    **dict.fromkeys(("curtime", "utc_time"), "write CURRENT_TIME"),
    "datetime": "write x::timestamp",
    "str_to_date": "write to_date(text, 'YYYY-MM-DD')",
    "datepart": "write extract(year FROM x)",
    "datename": "write to_char(x, 'Month')",
    "dayname": "write to_char(x, 'FMDay')",
    "monthname": "write to_char(x, 'FMMonth')",
    "dayofweek": "write extract(dow FROM x) + 1",
    "weekday": "write extract(isodow FROM x) - 1",
    "dayofmonth": "write extract(day FROM x)",
    "dayofyear": "write extract(doy FROM x)",
    "weekofyear": "write extract(week FROM x)",
    "last_day": "write (date_trunc('month', x) + interval '1 month - 1 day')::date",
    "unix_timestamp": "write extract(epoch FROM x)",
    "from_unixtime": "write to_timestamp(seconds)",
    **dict.fromkeys(("group_concat", "listagg"), _GROUP),
    **dict.fromkeys(("instr", "locate", "charindex"), _POSITION),
    **dict.fromkeys(("len", "char_len"), "write length(x)"),
    "ucase": "write upper(x)",
    "lcase": "write lower(x)",
    "mid": "write substr(x, start, length)",
    "substring_index": "write split_part(x, separator, n)",
    "find_in_set": "write array_position(string_to_array(list, ','), x)",
    "printf": "write format(template, ...)",
    "try_cast": "write CAST(x AS type)",
    "safe_cast": "write CAST(x AS type)",
    "rand": "write random()",
    "newid": "write gen_random_uuid()",
    "uuid": "write gen_random_uuid()",
    "typeof": "write pg_typeof(x)",
    "total": "write coalesce(sum(x), 0)",
    "divide": "write a / b; a::numeric / b keeps the fraction of integers",
    "subtract": "write a - b",
    "multiply": "write a * b",
    "add": "write a + b",
    "json_extract": "write x -> 'key', x ->> 'key' for text, or x #>> '{a,b}' for a path",
    "regexp_extract": "write substring(x FROM 'pattern')",
    "regexp": "write x ~ 'pattern'",
    "truncate": "write trunc(x, digits)",
    "log2": "write log(2, x)",
    "square": "write x ^ 2",
    "database": "write current_database()",
    "approx_count_distinct": "write count(DISTINCT x)",
    "countif": "write count(*) FILTER (WHERE condition)",
    "sumif": "write sum(x) FILTER (WHERE condition)",
    "median": "write percentile_cont(0.5) WITHIN GROUP (ORDER BY x)",
    "array_size": "write cardinality(x)",
    "explode": "write unnest(x)",
    **{
        unit: f"write extract({unit} FROM x)"
        for unit in ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
    },
}
OTHERWISE = "built-in functions may be called; those of the database only when a rule names them"


def instead(name: str) -> str:
    """What to write for a function PostgreSQL does not have."""
    return INSTEAD.get(name, OTHERWISE)
