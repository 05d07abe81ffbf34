"""A district's pages: this quarter's files, handing them in, answers, explanations, history and own figures."""
