with source as (
    select * from {{ ref('base_arenden') }}
),

renamed as (
    select
        -- ids
        submission_id,
        district_code,
        reporting_quarter,
        arende_id as case_id,
        person_key,
        match_person_key,
        source_file_sha256,
        source_row_number,

        -- strings
        id_typ as id_type,
        kon as sex,
        omrade as area_code,
        aktualisering as referral_type,
        ansokan_avser as application_concerns,
        uppgiftslamnare as source_code,
        orsak as reason_code,
        ytterligare_orsaker as other_reason_codes,
        bor_med_berord_foralder as lives_with_parent_concerned,
        ej_inledd_skal as not_opened_reason,
        hanvisad_till as referred_to_code,
        insats as intervention_code,
        insats_accepterad as acceptance,

        -- numerics
        cast(antal_insatser_erbjudna as integer) as offered_intervention_count,

        -- booleans
        is_linkable,
        is_birth_date_exact,
        utredning_inledd = 'ja' as is_investigation_opened,
        barnet_horts = 'ja' as is_child_heard,
        skola_kontaktad = 'ja' as is_school_contacted,
        tidigare_anmalan = 'ja' as has_earlier_report,
        tidigare_utredning = 'ja' as has_earlier_investigation,
        tidigare_insats = 'ja' as has_earlier_intervention,
        insats_erbjuden = 'ja' as is_offered,

        -- dates
        cast(birth_date as date) as birth_date,
        cast(inkom_datum as date) as received_date,
        cast(forhandsbedomning_klar as date) as pre_assessment_done_date,
        cast(utredning_start as date) as investigation_start_date,
        cast(utredning_forlangd_till as date) as investigation_extended_to_date,
        cast(utredning_slut as date) as investigation_end_date,
        submitted_at
    from source
)

select * from renamed
