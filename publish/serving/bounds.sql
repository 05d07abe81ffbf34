-- What only a superuser can take away from those who read. Run once in the database for BI; safe to repeat:
--   psql -d followup -f publish/serving/bounds.sql
-- Every role of PostgreSQL may call these functions: they fill the disk (large objects, messages in the log), fill the
-- server's table of locks, or end other sessions of the same role. Nobody who reads figures needs them.
-- And it lets the database's owner bound what the roles write to disk and to the server's log.
do $$
declare
    harmful regprocedure;
    database_owner name;
begin
    select pg_get_userbyid(datdba) into database_owner from pg_database where datname = current_database();
    for harmful in
        select oid::regprocedure from pg_proc
        where pronamespace = 'pg_catalog'::regnamespace and has_function_privilege('public', oid, 'execute')
        and proname ~ '^(lo_creat|lo_create|lo_from_bytea|pg_(try_)?advisory_.*|pg_(cancel|terminate)_backend|pg_logical_emit_message|pg_notify)$'
    loop
        execute format('revoke execute on function %s from public', harmful);
    end loop;
    execute format('grant execute on function pg_terminate_backend to %I', database_owner);
    if current_setting('server_version_num')::integer >= 150000 then
        execute format('grant set on parameter log_statement, log_min_messages, temp_file_limit to %I', database_owner);
    end if;
end
$$;
