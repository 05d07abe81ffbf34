select period, stadsdel, uppgiftstyp, rader from published.vy_inlamning where oppna_fragor
