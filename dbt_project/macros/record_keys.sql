{#-
    Keys of what is counted: by them a release gives the same records the same figure in every table (ADR 0056).

    A record (a case, an episode, a person, or a row that arrives as counts) has a record key, a number below 2^32 that core
    computes once. A cell's key is the sum of the record keys of what it counts, modulo 2^32; it is in the column
    `<count>__key` beside the column `<count>`. Cells that are added up have their keys added up too.
-#}

{#-
    A record key, from the record's own key and the columns that the marts group the record by: the
    first four bytes of an MD5. It depends on nothing else: not on the submission, nor on the row in the file. It is made
    odd, so that a key times a count tells the count.
-#}
{% macro record_key(columns) -%}
    {{ adapter.dispatch('record_key', 'followup')(columns) }}
{%- endmacro %}

{% macro duckdb__record_key(columns) -%}
    cast('0x' || substr(md5({{ text_of(columns) }}), 1, 8) as bigint) | 1
{%- endmacro %}

{#- The values of columns as the text that a record key is made of, the same on every engine; null is empty. -#}
{% macro text_of(columns) -%}
    concat_ws('|', {% for column in columns %}coalesce(cast({{ column }} as {{ dbt.type_string() }}), ''){{ ", " if not loop.last }}{% endfor %})
{%- endmacro %}

{#- The sum of keys over the rows that pass `condition`, modulo 2^32; 0 when there are none. -#}
{% macro key_sum(key='record_key', condition='true') -%}
    {{ as_key('coalesce(sum(' ~ (key if condition == 'true' else 'case when ' ~ condition ~ ' then ' ~ key ~ ' end') ~ '), 0)') }}
{%- endmacro %}

{#- A whole number of at least 0 as a key: its lowest 32 bits, many times faster than a remainder. -#}
{% macro as_key(number) -%}
    {{ adapter.dispatch('as_key', 'followup')(number) }}
{%- endmacro %}

{% macro duckdb__as_key(number) -%}
    cast(({{ number }}) & 4294967295 as uinteger)
{%- endmacro %}

{#- How many rows pass `condition`, and their key: `<name>` and `<name>__key`. -#}
{% macro count_with_key(name, condition='true', key='record_key') -%}
    {{ count_where(condition) if condition != 'true' else 'cast(count(*) as integer)' }} as {{ name }},
    {{ key_sum(key, condition) }} as {{ name }}__key
{%- endmacro %}

{#-
    The sum of a count over the rows that pass `condition`, and its key: a row that counts n has its key n times. So a row
    and the same row in two parts have one key.
-#}
{% macro sum_with_key(name, expression, condition='true', key='record_key') -%}
    {{ sum_of(expression, condition) }} as {{ name }},
    {{ key_sum('(' ~ key ~ ' * (' ~ expression ~ ') & 4294967295)', condition) }} as {{ name }}__key
{%- endmacro %}

{#- The sum of cells' counts over the cells that pass `condition`, and of their keys. `counts` is the alias of the cells. -#}
{% macro sum_cells_with_key(name, condition='true', cells=none, count=none) -%}
    {%- set summed = (cells ~ '.' if cells else '') ~ (count or name) -%}
    {{ sum_of(summed, condition) }} as {{ name }},
    {{ key_sum(summed ~ '__key', condition) }} as {{ name }}__key
{%- endmacro %}

{#- Numerator and denominator of a rate, counted over rows, with their keys. -#}
{% macro rate_counts_with_keys(name, numerator, denominator, key='record_key', numerator_key=none) -%}
    {{ count_with_key(name ~ '_numerator', '(' ~ denominator ~ ') and (' ~ numerator ~ ')', numerator_key or key) }},
    {{ count_with_key(name ~ '_denominator', denominator, key) }}
{%- endmacro %}

{#- The names of counts with the names of their keys. -#}
{% macro with_keys(counts) -%}
    {%- set found = [] -%}
    {%- for count in counts -%}
        {%- do found.extend([count, count ~ '__key']) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- Names with a word before each. -#}
{% macro prefixed(word, names) -%}
    {%- set found = [] -%}
    {%- for name in names -%}
        {%- do found.append(word ~ name) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- The names of counts' keys. -#}
{% macro keys_of(counts) -%}
    {{ return(with_keys(counts)[1::2]) }}
{%- endmacro %}

{#- Private columns from an alias, for a mart's last step: after its public columns, each with a comma before it. -#}
{% macro private_columns(alias, columns) -%}
    {%- for column in columns %},
    {{ alias }}.{{ column }}
    {%- endfor -%}
{%- endmacro %}

{#- The names of a rate's two counts, for each rate. -#}
{% macro rate_count_names(rates) -%}
    {%- set found = [] -%}
    {%- for name in rates -%}
        {%- do found.extend([name ~ '_numerator', name ~ '_denominator']) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#-
    What a mean is published from, over the rows that pass `condition` and have a value: the sum, its key (each row's key
    as many times as its value), and the two largest values, as `<name>__sum`, `<name>__sum__key`, `<name>__largest` and
    `<name>__second`. The largest are 0 where there are none.
-#}
{% macro sum_with_largest(name, expression, condition='true', key='record_key') -%}
    {{ sum_with_key(name ~ '__sum', expression, condition, key) }},
    {{ largest_two(name, expression, condition) }}
{%- endmacro %}

{#- The names of these columns, for each mean. -#}
{% macro sum_names(means) -%}
    {%- set found = [] -%}
    {%- for name in means -%}
        {%- do found.extend([name ~ '__sum', name ~ '__sum__key', name ~ '__largest', name ~ '__second']) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- The two largest values of the rows that pass `condition`, as `<name>__largest` and `<name>__second`; 0 for none. -#}
{% macro largest_two(name, expression, condition='true') -%}
    {{ adapter.dispatch('largest_two', 'followup')(name, expression, condition) }}
{%- endmacro %}

{#- The same of cells: the two largest of those that the cells have. -#}
{% macro largest_two_of_cells(name, cells) -%}
    {{ adapter.dispatch('largest_two_of_cells', 'followup')(name, cells) }}
{%- endmacro %}

{% macro duckdb__largest_two_of_cells(name, cells) -%}
    {%- set largest = 'max(' ~ cells ~ '.' ~ name ~ '__largest, 2)' -%}
    cast(coalesce({{ largest }}[1], 0) as integer) as {{ name }}__largest,
    cast(greatest(coalesce({{ largest }}[2], 0), coalesce(max({{ cells }}.{{ name }}__second), 0)) as integer)
        as {{ name }}__second
{%- endmacro %}

{% macro duckdb__largest_two(name, expression, condition) -%}
    {%- set largest = 'max(case when ' ~ condition ~ ' then ' ~ expression ~ ' end, 2)' -%}
    cast(coalesce({{ largest }}[1], 0) as integer) as {{ name }}__largest,
    cast(coalesce({{ largest }}[2], 0) as integer) as {{ name }}__second
{%- endmacro %}
