select period, insats, kon, sum(paborjade) as paborjade from published.vy_insatser group by all
