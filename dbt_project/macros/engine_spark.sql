{#-
    All that is written differently for Apache Spark (ADR 0087). DuckDB's forms are beside the macros that dispatch here.
    Spark runs with ANSI rules, UTC and TIMESTAMP_NTZ (followup/build/engines/spark_engine.py): DuckDB's TIMESTAMP has no zone.
-#}

{#- --- inputs: tables that the engine makes of the files ---------------------------------------------------------- -#}

{% macro spark__validated(dataset) -%}
    src.{{ dataset }}
{%- endmacro %}

{% macro spark__input_file(name) -%}
    src.{{ name }}
{%- endmacro %}

{% macro spark__frozen_file(path) -%}
    {{ return('src.frozen_' ~ model.name) }}
{%- endmacro %}

{#- --- SQL ------------------------------------------------------------------------------------------------------- -#}

{% macro spark__star_except(alias, columns) -%}
    {{ alias }}.* except ({{ columns | join(', ') }})
{%- endmacro %}

{#- Spark can't replace a column in its place: in both halves of the union these columns come last. -#}
{% macro spark__star_unreplaced(alias, columns) -%}
    {%- set dot = alias ~ '.' if alias else '' -%}
    {{ dot }}* except ({{ columns | join(', ') }}){% for column in columns %}, {{ dot }}{{ column }}{% endfor %}
{%- endmacro %}

{% macro spark__star_replaced(alias, replaced) -%}
    {{ alias }}.* except ({{ replaced.keys() | join(', ') }})
    {%- for column, value in replaced.items() %}, {{ value }} as {{ column }}{% endfor %}
{%- endmacro %}

{% macro spark__text_type() -%} {{ return('string') }} {%- endmacro %}

{% macro spark__date_series(step, column) -%}
    (select explode(sequence(date '2000-01-01', {{ clock_date() }} + interval 1 year, {{ step }})) as {{ column }}) as series
{%- endmacro %}

{% macro spark__value_at_least(value, by) -%}
    min_by({{ value }}, case when {{ value }} is not null then {{ by }} end)
{%- endmacro %}

{% macro spark__value_at_most(value, by) -%}
    max_by({{ value }}, case when {{ value }} is not null then {{ by }} end)
{%- endmacro %}

{#- A number would need all rows in one task, to be counted. -#}
{% macro spark__row_name(columns) -%}
    struct({{ columns | join(', ') }})
{%- endmacro %}

{#- In an order: a task that is run again must give its rows the same numbers. -#}
{% macro spark__row_number_by(columns) -%}
    row_number() over (order by {{ columns | join(', ') }})
{%- endmacro %}

{% macro spark__wide(number) -%}
    cast({{ number }} as decimal(38, 0))
{%- endmacro %}

{#- dbt's own raise an error where a date is null; here a null gives null, as on DuckDB. -#}
{% macro spark__dateadd(datepart, interval, from_date_or_timestamp) -%}
    {%- set months = {'month': 1, 'quarter': 3, 'year': 12} -%}
    {%- if datepart == 'day' -%} date_add({{ from_date_or_timestamp }}, cast({{ interval }} as int))
    {%- else -%} add_months({{ from_date_or_timestamp }}, cast(({{ interval }}) * {{ months[datepart] }} as int))
    {%- endif -%}
{%- endmacro %}

{% macro spark__datediff(first_date, second_date, datepart) -%}
    {%- if datepart != 'day' -%}
        {{ exceptions.raise_compiler_error('datediff of ' ~ datepart ~ ' is not written for Spark') }}
    {%- endif -%}
    datediff({{ second_date }}, {{ first_date }})
{%- endmacro %}

{% macro spark__quantile(expression, share, condition) -%}
    percentile({{ expression }}, {{ share }}) filter (where {{ condition }})
{%- endmacro %}

{#-
    Spark's aggregates have no order. Values are collected with what they are ordered by and added up one after another,
    as DuckDB does: the same to the last digit, however the rows are spread. These are few rows: districts, areas.
-#}
{% macro spark__in_order(aggregate, expression, by) -%}
    {%- set values = 'array_sort(collect_list(case when (' ~ expression ~ ') is not null then struct(' ~ by
        ~ ' as place, cast(' ~ expression ~ ' as double) as value) end))' -%}
    {%- set total = 'aggregate(' ~ values ~ ', 0D, (total, one) -> total + one.value)' -%}
    {%- set number = 'nullif(count(' ~ expression ~ '), 0)' -%}
    {%- if aggregate == 'sum' -%} case when count({{ expression }}) > 0 then {{ total }} end
    {%- elif aggregate == 'avg' -%} ({{ total }} / {{ number }})
    {%- elif aggregate == 'stddev_samp' -%}
    case when count({{ expression }}) > 1 then aggregate(
        {{ values }},
        named_struct('n', 0D, 'mean', 0D, 'squares', 0D),
        (so_far, one) -> named_struct(
            'n', so_far.n + 1,
            'mean', so_far.mean + (one.value - so_far.mean) / (so_far.n + 1),
            'squares', so_far.squares + (one.value - so_far.mean)
            * (one.value - (so_far.mean + (one.value - so_far.mean) / (so_far.n + 1)))
        ),
        whole -> sqrt(whole.squares / (whole.n - 1))
    ) end
    {%- else -%} {{ exceptions.raise_compiler_error(aggregate ~ ' in order is not written for Spark') }}
    {%- endif -%}
{%- endmacro %}

{% macro spark__distinct_codes(column, condition) -%}
    nullif(array_join(array_sort(array_distinct(flatten(
        collect_list(split({{ column }}, '[|]')) filter (where {{ condition }} and {{ column }} is not null)
    ))), '|'), '')
{%- endmacro %}

{#- --- record keys ------------------------------------------------------------------------------------------------ -#}

{% macro spark__record_key(columns) -%}
    cast(conv(substr(md5({{ text_of(columns) }}), 1, 8), 16, 10) as bigint) | 1
{%- endmacro %}

{#- Spark has no numbers without a sign; the file of views that readers open makes it one (engines/parquet_warehouse.py). -#}
{% macro spark__as_key(number) -%}
    cast(pmod({{ number }}, 4294967296) as bigint)
{%- endmacro %}

{% macro spark__key_type() -%} {{ return('bigint') }} {%- endmacro %}

{#- The two largest: `max_by` with a number gives so many, or null where there is no value. -#}
{% macro spark__largest_two(name, expression, condition) -%}
    {%- set values = 'case when ' ~ condition ~ ' then ' ~ expression ~ ' end' -%}
    {%- set largest = 'max_by(' ~ values ~ ', ' ~ values ~ ', 2)' -%}
    cast(coalesce(get({{ largest }}, 0), 0) as integer) as {{ name }}__largest,
    cast(coalesce(get({{ largest }}, 1), 0) as integer) as {{ name }}__second
{%- endmacro %}

{% macro spark__largest_two_of_cells(name, cells) -%}
    {%- set column = cells ~ '.' ~ name ~ '__largest' -%}
    {%- set largest = 'max_by(' ~ column ~ ', ' ~ column ~ ', 2)' -%}
    cast(coalesce(get({{ largest }}, 0), 0) as integer) as {{ name }}__largest,
    cast(greatest(coalesce(get({{ largest }}, 1), 0), coalesce(max({{ cells }}.{{ name }}__second), 0)) as integer)
        as {{ name }}__second
{%- endmacro %}

{#- --- tables, views, seeds ------------------------------------------------------------------------------------------ -#}

{% materialization table, adapter='spark' %}
    {%- set table = this.incorporate(type='table') -%}
    {{- run_hooks(pre_hooks) -}}
    {%- set steps = [] -%}
    {%- set sql = with_stored_steps(model.compiled_code, steps) if model.fqn[1] == 'marts' else model.compiled_code -%}
    {%- set sql = with_frozen_rows(sql) -%}
    {%- if model.fqn[1] == 'marts' -%}
        {%- set keyed = this.incorporate(path={'schema': 'keyed'}, type='table') -%}
        {%- do create_spark_table(keyed, in_order_of_units(sql)) -%}
        {%- for step in steps -%} {%- do run_query('drop table ' ~ step) -%} {%- endfor -%}
        {%- do assert_private_columns_are_named_so(keyed) -%}
        {%- do create_spark_table(table, in_order_of_units(contract_as_spark_types(keyed)), 'main') -%}
    {%- elif config.get('contract').enforced -%}
        {%- do create_spark_table(table, contract_as_spark_types('(' ~ sql ~ ')'), 'main') -%}
    {%- else -%}
        {%- do create_spark_table(table, sql, 'main') -%}
    {%- endif -%}
    {%- if config.get('contract').enforced -%} {%- do assert_constraints(table) -%} {%- endif -%}
    {{- run_hooks(post_hooks) -}}
    {{- return({'relations': [table]}) -}}
{% endmaterialization %}

{% materialization view, adapter='spark' %}
    {%- call statement('main') -%}
        create or replace view {{ this }} as
        {{ model.compiled_code }}
    {%- endcall -%}
    {{- return({'relations': [this.incorporate(type='view')]}) -}}
{% endmaterialization %}

{#- A seed in one statement, from its rows as JSON: dbt's own writes the word None where a cell is empty. -#}
{% materialization seed, adapter='spark' %}
    {%- set types = config.get('column_types') -%}
    {%- set found = load_agate_table() -%}
    {%- set rows = [] -%}
    {%- for row in found.rows -%}
        {%- set cells = {} -%}
        {%- for name in found.column_names if row[name] is not none -%} {%- do cells.update({name: row[name] | string}) -%} {%- endfor -%}
        {%- do rows.append(cells) -%}
    {%- endfor -%}
    {%- do store_result('agate_table', response='OK', agate_table=found) -%}
    {%- set sql -%}
        select
            {%- for name in found.column_names %}
            cast({{ name }} as {{ spark_type(types[name]) }}) as {{ name }}{{ "," if not loop.last }}
            {%- endfor %}
        from (
            select inline(from_json(
                '{{ tojson(rows) | replace("\\", "\\\\") | replace("'", "\\'") }}',
                'array<struct<{{ found.column_names | join(": string, ") }}: string>>'
            ))
        ) as seed_rows
    {%- endset -%}
    {%- do create_spark_table(this, sql, 'main') -%}
    {{- return({'relations': [this.incorporate(type='table')]}) -}}
{% endmaterialization %}

{#-
    Spark computes a CTE again wherever it is named, and plans a query of all these copies: minutes for a few rows. So a
    mart's CTEs that are named more than once are stored as tables, each made from those before it, until the mart is made.
    They are found by their layout: `name as (` and its `)` begin a line; others stay as they are. `stored` gets the tables.
-#}
{% macro with_stored_steps(sql, stored) -%}
    {%- set so_far = namespace(sql=sql) -%}
    {%- for name in modules.re.findall('(?m)^(?:with )?(\\w+) as \\($', sql) -%}
        {%- set body = '((?:(?!^(?:with )?\\w+ as \\($).)*?)' -%}
        {%- set step = modules.re.search('(?ms)^(?:with )?' ~ name ~ ' as \\(\\n' ~ body ~ '\\n\\)', so_far.sql) -%}
        {%- if step and modules.re.findall('\\b(?:from|join)\\s+' ~ name ~ '\\b', so_far.sql) | length > 1 -%}
            {%- set table = this.incorporate(path={'schema': 'steps', 'identifier': model.name ~ '__' ~ name}, type='table') -%}
            {%- do create_spark_table(table, so_far.sql[:step.end()] ~ '\nselect * from ' ~ name, 'step_' ~ name) -%}
            {%- do stored.append(table) -%}
            {%- set so_far.sql = so_far.sql[:step.start(1)] ~ '    select * from ' ~ table ~ so_far.sql[step.end(1):] -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(so_far.sql) -}}
{%- endmacro %}

{#- Makes a table from a query; an old one is dropped first. `name` is that of the statement, as dbt asks for `main`. -#}
{% macro create_spark_table(table, sql, name='all_columns') -%}
    {%- call statement('drop_' ~ name) -%} drop table if exists {{ table }} {%- endcall -%}
    {%- call statement(name) -%}
        create table {{ table }} using parquet as
        {{ sql }}
    {%- endcall -%}
{%- endmacro %}

{#- A mart's rows by unit, then period: a reader of one unit or period passes over most of a file. -#}
{% macro in_order_of_units(sql) -%}
    {%- set names = model.columns.keys() | list -%}
    {%- set order = ['district_code', 'period'] | select('in', names) | list -%}
    {%- if order -%}
    select {% if order[0] == 'district_code' %}/*+ REBALANCE(district_code) */ {% endif %}* from (
        {{ sql }}
    ) as mart_rows sort by {{ order | join(', ') }}
    {%- else -%} {{ sql }}
    {%- endif -%}
{%- endmacro %}

{#- The contract's columns of a relation or a query in brackets, in the contract's types. -#}
{% macro contract_as_spark_types(rows) -%}
    {%- do assert_same_kinds(rows) -%}
    select
        {%- for name, column in model.columns.items() %}
        cast({{ name }} as {{ spark_type(column.data_type) }}) as {{ name }}{{ "," if not loop.last }}
        {%- endfor %}
    from {{ rows }} as contract_rows
{%- endmacro %}

{#- DuckDB's name of a type -> Spark's. -#}
{% macro spark_type(name) -%}
    {{ return({'varchar': 'string', 'timestamp': 'timestamp_ntz', 'hugeint': 'bigint', 'integer': 'int'}.get(name, name)) }}
{%- endmacro %}

{#- The contract's columns are there, none else but private ones, and none is of another kind: a cast would hide it. -#}
{% macro assert_same_kinds(rows) -%}
    {%- set kinds = {
        'int': 'number', 'bigint': 'number', 'double': 'number', 'decimal': 'number', 'float': 'number', 'smallint': 'number',
        'tinyint': 'number',
    } -%}
    {%- set found = {} -%}
    {%- for column in get_column_schema_from_query('select * from ' ~ rows ~ ' as contract_rows') -%}
        {%- do found.update({column.name: column.dtype.split('(')[0]}) -%}
    {%- endfor -%}
    {%- set wrong = [] -%}
    {%- for name, column in model.columns.items() -%}
        {%- set wanted = spark_type(column.data_type) -%}
        {%- if name not in found -%} {%- do wrong.append(name ~ ' is not there') -%}
        {%- elif found[name] != 'void' and kinds.get(found[name], found[name]) != kinds.get(wanted, wanted) -%}
            {%- do wrong.append(name ~ ' is ' ~ found[name] ~ ', not ' ~ wanted) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name in found if name not in model.columns and '__' not in name -%}
        {%- do wrong.append(name ~ ' is not in the contract') -%}
    {%- endfor -%}
    {%- if wrong -%} {%- do exceptions.raise_compiler_error(model.name ~ ': ' ~ wrong | join('; ')) -%} {%- endif -%}
{%- endmacro %}

{#- Spark enforces no constraint: one query counts the rows that break each of the contract's. -#}
{% macro assert_constraints(table) -%}
    {%- set broken_by = {} -%}
    {%- for name, column in model.columns.items() -%}
        {%- for constraint in column.constraints -%}
            {%- if constraint.type == 'check' -%}
                {%- do broken_by.update({name ~ ' (' ~ constraint.expression ~ ')': 'not (' ~ constraint.expression ~ ')'}) -%}
            {%- elif constraint.type in ('not_null', 'primary_key') -%}
                {%- do broken_by.update({name ~ ' (' ~ constraint.type ~ ')': name ~ ' is null'}) -%}
            {%- endif -%}
            {%- if constraint.type == 'primary_key' -%} {%- do broken_by.update({name: none}) -%} {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if broken_by -%}
        {%- set query -%}
            select
            {%- for what, condition in broken_by.items() %}
                {{ 'count(*) - count(distinct ' ~ what ~ ')' if condition is none else 'count_if(' ~ condition ~ ')' }}
                {{- "," if not loop.last }}
            {%- endfor %}
            from {{ table }}
        {%- endset -%}
        {%- set counts = run_query(query).rows[0].values() -%}
        {%- set wrong = [] -%}
        {%- for what in broken_by -%}
            {%- if counts[loop.index0] -%} {%- do wrong.append(what ~ ' in ' ~ counts[loop.index0] ~ ' rows') -%} {%- endif -%}
        {%- endfor -%}
        {%- if wrong -%} {%- do exceptions.raise_compiler_error(model.name ~ ': a constraint is broken: ' ~ wrong | join('; ')) -%} {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro spark__create_schema(relation) -%}
    {%- call statement('create_schema') -%} create schema if not exists {{ relation.schema }} {%- endcall -%}
    {%- if relation.schema == 'marts' -%}
        {%- for name in ('keyed', 'steps') -%}
            {%- call statement('create_' ~ name) -%} create schema if not exists {{ name }} {%- endcall -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
