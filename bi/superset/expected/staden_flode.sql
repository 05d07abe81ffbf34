select period, inkomna_arenden, inledda_utredningar, avslutade_utredningar, erbjudna_insats, tackat_ja
from published.vy_staden
