"""Corpus: what each dataset's rows get wrong, one column against another, one row against the next."""

from __future__ import annotations

from collections.abc import Iterator

from cases import BOY, OPEN, Case, beside, one, person, refused, row, table, taken

WAITS = ("vantade_0_7", "vantade_8_14", "vantade_15_30", "vantade_31_90", "vantade_over_90")
NO_WAITS = dict.fromkeys((*WAITS, "vantetid_summa_dagar"), "")
NOT_OPENED = {"utredning_inledd": "nej", "ej_inledd_skal": "utredning behövs inte", "utredning_start": "", **OPEN}
PARTICIPANTS = ("deltagare_flickor", "deltagare_pojkar", "deltagare_mammor", "deltagare_pappor")
NOBODY = dict.fromkeys((*PARTICIPANTS, "deltagare_via_socialtjanst", "fullfoljt"), "0") | {"vantetid_summa_dagar": ""}
CANCELLED = {"status": "inställd", "installd_skal": "för få anmälda", "faktisk_start": "", **NOBODY}
PLANNED = {"status": "planerad", "planerad_start": "2018-10-15", "faktisk_start": "", **NOBODY}
IN_FORCE = dict.fromkeys(
    ("slut_datum", "avslutsorsak", "maluppfyllelse", "uppfoljd", "uppfoljd_datum", "uppfoljningsmetod"), ""
)


def cases() -> Iterator[Case]:
    """`arenden`."""
    later = {"inkom_datum": "2018-03-01", "forhandsbedomning_klar": "2018-03-10"}
    application = {"aktualisering": "ansökan", "forhandsbedomning_klar": "", "uppgiftslamnare": "vårdnadshavare"}
    second = {"arende_id": "2018-1002", "inkom_datum": "2018-09-21", "forhandsbedomning_klar": "2018-09-22", **OPEN}
    yield taken("arenden/application_without_pre_assessment.csv", one(**application, ansokan_avser="familjestöd"))
    yield taken("arenden/siblings_under_one_case_number.csv", beside("arenden", **BOY))
    yield taken("arenden/not_opened.csv", one(**NOT_OPENED))
    yield taken("arenden/answer_awaited.csv", one(insats_accepterad="väntar"))
    yield refused("arenden/row_twice.csv", beside("arenden"), "ARE-080 ARE-081")
    yield taken(
        "arenden/two_cases_of_one_child_day_and_reason.csv", beside("arenden", arende_id="2018-1002"), "ARE-081"
    )
    yield refused("arenden/case_number_with_a_space.csv", one(arende_id="2018 1001"), "ARE-002")
    yield refused("arenden/case_number_of_41_letters.csv", one(arende_id="A" * 41), "ARE-002")
    yield refused("arenden/case_number_missing.csv", one(arende_id=""), "ARE-001")
    yield refused("arenden/purpose_of_an_application_on_a_report.csv", one(ansokan_avser="familjestöd"), "ARE-029")
    yield refused("arenden/own_contact_as_source_of_a_report.csv", one(uppgiftslamnare="egen kontakt"), "ARE-031")
    yield taken("arenden/pre_assessment_of_15_days.csv", one(inkom_datum="2018-06-25"), "ARE-041")
    yield refused("arenden/pre_assessment_before_the_report.csv", one(forhandsbedomning_klar="2018-07-01"), "ARE-039")
    yield refused(
        "arenden/pre_assessment_without_decision.csv",
        one(**{**NOT_OPENED, "utredning_inledd": "", "ej_inledd_skal": ""}),
        "ARE-044",
    )
    yield taken("arenden/decision_without_pre_assessment.csv", one(forhandsbedomning_klar=""), "ARE-042")
    yield refused("arenden/not_opened_without_a_reason.csv", one(**{**NOT_OPENED, "ej_inledd_skal": ""}), "ARE-046")
    yield refused("arenden/reason_for_not_opening_though_opened.csv", one(ej_inledd_skal="annan huvudman"), "ARE-047")
    yield refused("arenden/opened_without_a_start.csv", one(utredning_start="", **OPEN), "ARE-050")
    yield refused("arenden/ended_before_it_started.csv", one(utredning_slut="2018-07-10"), "ARE-058")
    yield refused("arenden/ended_after_the_quarter.csv", one(utredning_slut="2018-10-01"), "ARE-059")
    yield taken("arenden/longer_than_four_months.csv", one(**later, utredning_start="2018-05-19"), "ARE-060")
    yield taken("arenden/exactly_four_months.csv", one(**later, utredning_start="2018-05-20"))
    yield taken(
        "arenden/open_longer_than_four_months.csv", one(**later, utredning_start="2018-05-29", **OPEN), "ARE-060"
    )
    yield taken(
        "arenden/longer_than_four_months_and_prolonged.csv",
        one(**later, utredning_start="2018-04-01", utredning_forlangd_till="2018-09-20"),
    )
    yield taken("arenden/longer_than_a_short_prolongation.csv", one(utredning_forlangd_till="2018-09-19"), "ARE-060")
    yield refused(
        "arenden/prolonged_to_before_the_start.csv", one(utredning_forlangd_till="2018-07-11"), "ARE-055 ARE-060"
    )
    never_started = one(**NOT_OPENED, utredning_forlangd_till="2018-12-31")
    yield taken("arenden/prolonged_though_never_started.csv", never_started, "ARE-086")
    yield taken(
        "arenden/restarted_within_a_week.csv", beside("arenden", **second, utredning_start="2018-09-27"), "ARE-061"
    )
    yield taken("arenden/restarted_after_eight_days.csv", beside("arenden", **second, utredning_start="2018-09-28"))
    yield refused("arenden/ended_without_saying_whether_the_child_was_heard.csv", one(barnet_horts=""), "ARE-063")
    unsaid = dict.fromkeys(("insats_erbjuden", "insats", "antal_insatser_erbjudna", "insats_accepterad"), "")
    yield refused("arenden/ended_without_saying_what_was_offered.csv", one(**unsaid), "ARE-070")
    yield refused("arenden/offered_without_saying_what.csv", one(insats=""), "ARE-072")
    yield refused("arenden/offered_without_an_answer.csv", one(insats_accepterad=""), "ARE-078")
    yield refused(
        "arenden/answer_to_no_offer.csv", one(insats_erbjuden="nej", insats="", antal_insatser_erbjudna=""), "ARE-079"
    )
    yield refused("arenden/21_offers.csv", one(antal_insatser_erbjudna="21"), "ARE-076")


def episodes() -> Iterator[Case]:
    """`oppenvard`."""

    def bad(name: str, rules: str, **changes: str) -> Case:
        return refused(f"oppenvard/{name}.csv", one("oppenvard", **changes), rules, dataset="oppenvard")

    def odd(name: str, rules: str, **changes: str) -> Case:
        return taken(f"oppenvard/{name}.csv", one("oppenvard", **changes), rules, dataset="oppenvard")

    yield odd("in_force", "", **IN_FORCE)
    yield odd("never_begun", "", start_datum="", avslutsorsak="ej påbörjad")
    yield odd("service_in_the_catalogue", "OPP-029", insats="komet")
    yield odd("neither_case_nor_application", "OPP-006", arende_id="", ansokan_datum="")
    yield odd("started_before_the_decision", "OPP-039", start_datum="2018-04-19")
    twice = beside("oppenvard", malgrupp="barn")
    yield refused("oppenvard/number_of_the_episode_twice.csv", twice, "OPP-003", dataset="oppenvard")
    yield bad("application_after_the_decision", "OPP-033", ansokan_datum="2018-04-21")
    yield bad("person_of_21", "OPP-024", personnummer=person("19970420", 980))
    yield bad("the_parent_as_person", "OPP-024", personnummer=person("19800101", 980))
    yield bad("ended_before_it_started", "OPP-041", slut_datum="2018-05-01")
    yield bad("ended_without_a_start", "OPP-043", start_datum="")
    yield bad("ended_without_a_cause", "OPP-045", avslutsorsak="")
    yield bad("cause_of_no_end", "OPP-046", **{**IN_FORCE, "avslutsorsak": "flytt"})
    yield bad("ended_without_goals", "OPP-048", maluppfyllelse="")
    yield bad(
        "ended_without_saying_whether_followed_up", "OPP-052", uppfoljd="", uppfoljd_datum="", uppfoljningsmetod=""
    )
    yield bad("day_of_no_follow_up", "OPP-054", uppfoljd="nej", uppfoljningsmetod="")
    yield bad("followed_up_without_a_method", "OPP-057", uppfoljningsmetod="")
    yield bad("501_sessions", "OPP-050", antal_tillfallen="501")
    yield bad("decision_after_the_quarter", "OPP-036", **{**IN_FORCE, "start_datum": "", "beslut_datum": "2018-10-01"})
    yield bad("unknown_provider", "OPP-031", regi="privat")
    yield bad("birth_year_that_disagrees", "OPP-059", fodelsear="1985")


def services() -> Iterator[Case]:
    """`serviceinsatser`."""
    ser = "serviceinsatser"

    def bad(name: str, rules: str, **changes: str) -> Case:
        return refused(f"{ser}/{name}.csv", one(ser, **changes), rules, dataset=ser)

    def odd(name: str, rules: str, **changes: str) -> Case:
        return taken(f"{ser}/{name}.csv", one(ser, **changes), rules, dataset=ser)

    yield odd("nobody_new", "", antal_nya="0", antal_samtal="0", **NO_WAITS)
    yield odd("longest_wait_the_bands_allow", "", vantetid_summa_dagar="220")
    yield odd("waits_missing", "SER-040", **NO_WAITS)
    yield odd("days_without_waits", "SER-040", **{**NO_WAITS, "vantetid_summa_dagar": "120"})
    yield odd("assessed_in_the_catalogue", "SER-009", insats="familjebehandling")
    yield odd("more_followed_up_than_ended", "SER-041", antal_uppfoljda="8")
    yield odd("advice_without_talks", "SER-042", antal_samtal="0")
    yield bad("waits_that_dont_add_up", "SER-037", antal_nya="11")
    yield bad("fewer_days_than_the_bands_allow", "SER-038", vantetid_summa_dagar="84")
    yield bad("more_days_than_the_bands_allow", "SER-038", vantetid_summa_dagar="221")
    yield bad("days_of_nobody", "SER-052", **{**NO_WAITS, "antal_nya": "0", "vantetid_summa_dagar": "5"})
    yield bad("more_outcomes_than_followed_up", "SER-039", antal_battre="4")
    yield bad("adult_in_the_target_group_children", "SER-010", malgrupp="barn")
    yield bad("child_in_the_target_group_parents", "SER-011", aldersgrupp="13-17")
    yield bad("age_band_that_excel_made_a_month", "FIL-035", aldersgrupp="06-dec")
    yield refused(f"{ser}/same_row_key_twice.csv", beside(ser, antal_i_ko="3"), "SER-013", dataset=ser)
    yield taken(f"{ser}/two_referrers.csv", beside(ser, hanvisad_fran="egen kontakt"), dataset=ser)


def groups() -> Iterator[Case]:
    """`grupper`."""

    def bad(name: str, rules: str, **changes: str) -> Case:
        return refused(f"grupper/{name}.csv", one("grupper", **changes), rules, dataset="grupper")

    def odd(name: str, rules: str, **changes: str) -> Case:
        return taken(f"grupper/{name}.csv", one("grupper", **changes), rules, dataset="grupper")

    yield odd("planned", "", **PLANNED)
    yield odd("planned_with_empty_counts", "", **{**PLANNED, **dict.fromkeys(NOBODY, "")})
    yield odd("cancelled", "", **CANCELLED)
    yield odd("more_participants_than_seats", "GRU-049", platser="10")
    yield odd("planned_for_long_ago", "GRU-032", **{**PLANNED, "planerad_start": "2018-07-01"})
    yield odd("planned_for_90_days_ago", "", **{**PLANNED, "planerad_start": "2018-07-02"})
    yield odd("planned_with_participants", "GRU-046", **{**PLANNED, "deltagare_pappor": "2"})
    yield odd("planned_with_a_start", "GRU-034", **{**PLANNED, "faktisk_start": "2018-09-03"})
    yield bad("started_without_a_start", "GRU-033", status="startad", faktisk_start="")
    yield bad("starts_after_the_quarter", "GRU-036", faktisk_start="2018-10-01")
    yield bad("cancelled_without_a_reason", "GRU-037", **{**CANCELLED, "installd_skal": ""})
    yield bad("reason_for_no_cancellation", "GRU-038", installd_skal="lokal")
    yield bad("cancelled_with_participants", "GRU-045", **{**CANCELLED, "deltagare_mammor": "3"})
    yield bad("no_seats", "GRU-039 GRU-049", platser="0")
    yield bad("ended_without_counting_girls", "GRU-040", deltagare_flickor="")
    yield bad("ended_without_counting_who_completed", "GRU-044", fullfoljt="")
    yield bad("more_completed_than_took_part", "GRU-048", fullfoljt="12")
    yield bad("more_through_social_services_than_took_part", "GRU-047", deltagare_via_socialtjanst="12")
    yield refused(
        "grupper/number_of_the_group_twice.csv", beside("grupper", insats="abc"), "GRU-030", dataset="grupper"
    )


def supply() -> Iterator[Case]:
    """`utbud`."""

    def bad(name: str, rules: str, **changes: str) -> Case:
        return refused(f"utbud/{name}.csv", one("utbud", **changes), rules, dataset="utbud")

    def odd(name: str, rules: str, **changes: str) -> Case:
        return taken(f"utbud/{name}.csv", one("utbud", **changes), rules, dataset="utbud")

    yield odd("languages_by_name", "", sprak="svenska|Somaliska|dari")
    yield odd("no_web_page", "", webbinfo_uppdaterad="")
    yield odd("ended_without_languages", "", status="upphörd", sprak="", vantetid_dagar="")
    yield odd("service_that_the_catalogue_assesses", "UTB-021", insats="familjebehandling")
    yield odd("assessed_that_the_catalogue_has_as_service", "UTB-022", insatsform="bistånd")
    yield odd("web_page_updated_after_the_quarter", "UTB-027", webbinfo_uppdaterad="2018-10-04")
    yield bad("unknown_language", "UTB-017", sprak="sv|xx")
    yield bad("languages_with_commas", "UTB-017", sprak="sv, ar, so")
    yield bad("offered_without_languages", "UTB-024", sprak="")
    yield bad("offered_without_a_wait", "UTB-025", vantetid_dagar="")
    yield bad("limit_of_no_talks", "UTB-023", max_antal_samtal="0")
    yield bad("free_text_of_501_letters", "UTB-014", innehall="å" * 501)
    yield odd("free_text_of_500_letters", "", innehall="å" * 500)
    yield refused("utbud/same_offer_twice.csv", beside("utbud", regi="upphandlad"), "UTB-020", dataset="utbud")


def counted() -> Iterator[Case]:
    """`ungdomsmottagning`, `aktiviteter`, `skyddsuppfoljning`, `rutiner`."""

    def bad(dataset: str, name: str, rules: str, **changes: str) -> Case:
        return refused(f"{dataset}/{name}.csv", one(dataset, **changes), rules, dataset=dataset)

    def odd(dataset: str, name: str, rules: str, **changes: str) -> Case:
        return taken(f"{dataset}/{name}.csv", one(dataset, **changes), rules, dataset=dataset)

    ung, akt, sky, rut = "ungdomsmottagning", "aktiviteter", "skyddsuppfoljning", "rutiner"
    yield odd(ung, "nobody_new", "", nya_besokare="0", **NO_WAITS)
    yield odd(ung, "waits_missing", "UNG-024", **NO_WAITS)
    yield bad(ung, "more_new_visitors_than_visits", "UNG-020", besok="59")
    yield bad(ung, "more_digital_visits_than_visits", "UNG-021", digitala_besok="241")
    yield bad(ung, "waits_that_dont_add_up", "UNG-022", nya_besokare="61")
    yield bad(ung, "days_of_nobody", "UNG-025", **{**NO_WAITS, "nya_besokare": "0", "vantetid_summa_dagar": "5"})
    yield bad(ung, "age_band_of_another_dataset", "UNG-006", aldersgrupp="13-17")
    spelt = beside(ung, mottagning="ungdomsmottagningen  alvik")
    yield refused(f"{ung}/one_clinic_spelt_two_ways.csv", spelt, "FIL-072 UNG-019", dataset=ung)
    yield bad(akt, "day_before_the_quarter", "AKT-017", datum="2018-06-30")
    yield bad(akt, "day_after_the_quarter", "AKT-017", datum="2018-10-01")
    yield bad(akt, "training_without_a_level", "AKT-015", niva="")
    yield bad(akt, "information_with_a_level", "AKT-016", typ="information")
    yield odd(akt, "meeting_without_a_level", "", typ="samverkan", niva="")
    yield odd(akt, "nobody_came", "", deltagare="0")
    yield bad(sky, "more_went_home_than_were_interviewed", "SKY-013", antal_hem_utan_placering="15")
    ten = {"antal_uppfoljda_samma_dygn": "10", "antal_uppfoljda_inom_tre_dygn": "10"}
    yield bad(sky, "more_followed_up_than_went_home", "SKY-014 SKY-015", **ten)
    yield bad(sky, "fewer_within_three_days_than_at_once", "SKY-016", antal_uppfoljda_inom_tre_dygn="4")
    times = [row(sky, tidpunkt=time) for time in ("vardag dagtid", "vardag kväll", "helg")]
    yield taken(f"{sky}/all_three_times.csv", table(sky, times), dataset=sky)
    yield refused(f"{sky}/same_time_twice.csv", beside(sky, antal_barnforhor="15"), "SKY-012", dataset=sky)
    yield bad(rut, "revised_though_missing", "RUT-009", rutin="saknas")
    yield odd(rut, "revised_after_the_quarter", "RUT-011", senast_reviderad="2018-10-01")
    yield odd(rut, "missing", "", rutin="saknas", senast_reviderad="")
    twice = beside(rut, rutin="planeras", senast_reviderad="")
    yield refused(f"{rut}/same_unit_and_group_twice.csv", twice, "RUT-008", dataset=rut)


def all_cases() -> Iterator[Case]:
    """Every case of this module."""
    for group in (cases, episodes, services, groups, supply, counted):
        yield from group()
