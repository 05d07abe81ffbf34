select * from {{ ledger_submissions() }}
