"""The shares that the city is drawn from.

Where a figure is published, it is the one of a district's review of its cases of 2017 (delrapport 2019, Modell för
tidigt socialt stöd); the rest is invented so that its stated orders and differences come out.
"""

from __future__ import annotations

import numpy as np

REASONS = (
    "skolproblematik", "beteende", "snatteri_forseelse", "annan_kriminalitet", "barn_missbruk", "barn_psykisk_ohalsa",
    "vald_i_familjen", "overgrepp", "vanvard", "hedersvald", "vuxen_missbruk", "vuxen_psykisk_ohalsa",
    "vuxen_kriminalitet", "foralder_funktionsnedsattning", "vardnadstvist", "bostad", "familjekonflikt", "annan",
)  # fmt: skip
CHILD_SIDE = 6
"""The first so many reasons are the child's own."""
ADULT_SIDE = 16
"""Reasons from CHILD_SIDE up to here are the adult's."""
SHOPLIFTING, OTHER_CRIME, CHILD_ABUSE, CHILD_HEALTH, VIOLENCE, ASSAULT = 2, 3, 4, 5, 6, 7
ADULT_ABUSE = 10

SOURCES = (
    "polis_aklagare", "skola", "forskola", "bvc", "mvc", "psykiatri", "halso_sjukvard", "ungdomsmottagning",
    "fritid_falt", "barnet", "vardnadshavare", "anhorig", "privatperson", "anonym", "socialtjanst", "annan_myndighet",
    "annan",
)  # fmt: skip
POLICE, SCHOOL, PRESCHOOL, PSYCHIATRY, HEALTH, THE_CHILD, GUARDIAN, SOCIAL_SERVICES = 0, 1, 2, 5, 6, 9, 10, 14

WHY_NOT = (
    "utredning_behovs_inte", "pagaende_utredning", "pagaende_insats", "service_erbjuds", "samtycke_saknas",
    "aterkallad_ansokan", "annan_huvudman", "overflyttad", "annan",
)  # fmt: skip
ONGOING_INQUIRY, ONGOING_HELP, MOVED_ON = 1, 2, 7
REFERRED_TO = ("foraldraradgivning", "faltassistenter", "ungdomsmottagning", "bup", "skola", "civilsamhalle", "annan")
APPLIES_TO = ("familjestod", "kontaktfamilj_kontaktperson", "annan")
LIVES_WITH = ("ja", "delvis", "nej", "okant")
ANSWERS = ("ja", "nej", "vantar")

OFFERS = (
    "familjebehandling", "kontaktperson", "kontaktfamilj", "tryggare_barn", "strukturerat_oppenvardsprogram",
    "ungdomsbehandling", "praktiskt_stod", "trappan", "maria_ungdom", "framtid_stockholm", "kriscentrum",
    "sarskilt_kvalificerad_kontaktperson", "annan_lokal", "rad_och_stod",
)  # fmt: skip
SERVICE_ONLY = OFFERS.index("rad_och_stod")
"""Offered after an investigation, but without an assessed decision: no episode of outpatient care follows."""

# Age of an event's first child at receipt: bands 0-5, 6-12, 13-17, 18-20; with siblings and returns the published
# 25/39/31/5 % come out.
AGE_BANDS = np.array([0.24, 0.385, 0.335, 0.04])
BAND_STARTS = np.array([0, 6, 13, 18])
BAND_YEARS = np.array([6, 7, 5, 3])

INVESTIGATED = 0.417
"""A little above the published 41 %, as returns within a quarter come on top."""
OFFERED = np.array([0.286, 0.42])
"""Of investigations after a report, after an application."""
ACCEPTED = 0.665
MORE_THAN_ONE_OFFER = 0.072
APPLICATIONS = 0.055

REASON_BY_BAND = np.array(
    [
        [0.5, 3, 0, 0, 0, 1, 24, 10, 8, 0.5, 12, 15, 3, 3, 6, 5, 5, 4],
        [12, 10, 1, 1, 0.3, 4, 16, 13, 5, 1.2, 7, 9, 2, 2, 6, 3, 6, 3],
        [13, 11, 9, 9, 9, 8, 7, 7, 2, 2.5, 3, 4, 1, 1, 2, 2, 7, 3],
        [4, 8, 8, 14, 16, 14, 6, 3, 0.8, 4, 2, 4, 1, 1, 0.2, 8, 4, 4],
    ]
)
SOURCE_BY_BAND = np.array(
    [
        [24, 1, 6, 3, 1, 12, 12, 0, 0, 0.1, 9, 5, 6, 7, 7, 4, 3],
        [22, 20, 0.5, 0, 0, 11, 7, 0, 1, 2, 10, 4, 5, 6, 6, 4, 2],
        [33, 20, 0, 0, 0, 9, 5, 1.5, 3, 3, 9, 2, 3, 3, 4, 3, 2],
        [36, 6, 0, 0, 0, 14, 9, 1, 2, 8, 4, 2, 3, 3, 5, 3, 3],
    ]
)
OPENED_BY_REASON = np.array(
    [0.95, 1.05, 0.24, 0.27, 0.32, 1.30, 1.50, 1.85, 1.35, 1.65, 0.75, 0.75, 0.60, 0.90, 0.80, 0.80, 0.95, 0.70]
)
OPENED_BY_BAND = np.array([1.08, 1.02, 0.96, 0.80])
HEARD_BY_REASON = np.array(
    [0.50, 0.60, 0.48, 0.46, 0.52, 0.47, 0.45, 0.76, 0.43, 0.62, 0.40, 0.43, 0.33, 0.40, 0.47, 0.30, 0.50, 0.42]
)
HEARD_BY_BAND = np.array([0.72, 1.04, 1.18, 1.22])
SCHOOL_CONTACTED = np.array([0.242, 0.495])
"""Where somebody else, where school or preschool was the source."""
SCHOOL_BY_BAND = np.array([0.75, 1.25, 1.0, 0.35])
SCHOOL_BY_SEX = np.array([0.78, 1.20, 1.0])
OFFERED_BY_REASON = np.array(
    [1.05, 1.55, 0.45, 0.50, 1.40, 1.05, 0.95, 1.10, 1.00, 1.00, 0.75, 0.95, 0.65, 1.00, 0.80, 0.60, 1.10, 0.70]
)
OFFERED_BY_BAND = np.array([1.06, 0.98, 1.02, 0.80])
ACCEPTED_BY_BAND = np.array([0.88, 0.98, 1.10, 1.02])
RETURNING_BY_REASON = np.array(
    [1.00, 1.10, 1.35, 1.40, 1.40, 1.00, 0.95, 0.72, 1.00, 0.85, 1.25, 1.00, 1.25, 0.95, 1.00, 0.90, 1.00, 0.90]
)
OFFER_SHARES = np.array([0.53, 0.08, 0.05, 0.09, 0.055, 0.06, 0.035, 0.02, 0.025, 0.01, 0.01, 0.015, 0.005, 0.015])
WHY_NOT_REPORT = np.array([0.55, 0.02, 0.03, 0.15, 0.12, 0.0, 0.05, 0.02, 0.06])
WHY_NOT_APPLICATION = np.array([0.25, 0.02, 0.03, 0.24, 0.02, 0.30, 0.06, 0.02, 0.06])
REFERRAL_SHARES = np.array([0.40, 0.12, 0.06, 0.16, 0.11, 0.07, 0.08])

# What a child unknown to the simulation carries from before it, by age band at receipt.
PRIOR_REPORT = np.array([0.26, 0.48, 0.58, 0.60])
PRIOR_INQUIRY = np.array([0.13, 0.29, 0.38, 0.42])
PRIOR_HELP = np.array([0.06, 0.14, 0.20, 0.24])
PRIOR_FADES_IN_QUARTERS = 14.0

RETURN_AFTER_INQUIRY = 0.283
"""Investigations that, sooner or later, lead straight to a new one."""
RETURN_DAYS = 300.0
REPORT_AFTER_INQUIRY = 0.12
REPORT_DURING_INQUIRY = 0.16
REPORT_DURING_HELP = 0.12
REPORT_AFTER_NO_INQUIRY = 0.33
REPORT_DAYS = 150.0
TRANSFERRED = 0.012
MOVED = 0.07
"""Children who live in another district when they return."""

MONTH_WEIGHTS = np.array([1.0, 1.05, 1.08, 1.02, 1.1, 0.95, 0.6, 0.85, 1.08, 1.1, 1.12, 0.9])
"""Reports and applications per month: few in the summer holidays."""
