"""Training steps timed beside other engines, in one run: `minigen bench`, which is `report.run`.

Read `harness.py` for how the timing is kept fair, `cases/race.py` for what is timed, `verdicts.py` for what is asked.
Nothing is imported here: a worker process starts with what its peer needs and no more.
"""
