select distinct period, kon, alder, staden_erbjudna_insats from published.vy_erbjudna_kon_alder
