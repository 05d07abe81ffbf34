select period, inkomna_arenden, inledda_utredningar, avslutade_utredningar, erbjudna_insats, tackat_ja,
    paborjade_serviceinsatser, paborjad_oppenvard, besok_ungdomsmottagning, andel_utredda, andel_erbjudna,
    andel_inom_60_dagar, andel_ater, andel_tackat_ja, andel_fullfoljda, preliminar
from published.vy_staden
