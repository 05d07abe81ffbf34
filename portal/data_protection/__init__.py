"""The papers that a Swedish authority must have (docs/dataskydd/), made from contracts, settings, policy and routes.

`pages/` has the text, `texts.yml` the Swedish names of what the code declares, `facts` reads the code.
"""
