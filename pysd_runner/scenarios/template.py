"""The scenario file a newcomer starts from."""

TEMPLATE = """\
# A scenario of gapsim: a policy as a delta on the baseline. It loads as it is; change what you need.
# YAML 1.2. `gapsim schema` writes a JSON Schema with which editors complete and check this file.
schema: 1
name: my_scenario                       # default: the name of the file
label: {en: My scenario, zh: 我的情景}
note: What the scenario is for.

# A shipped scenario (`gapsim list`), a file relative to this one, or a list applied from left to right.
extends: baseline

policy:
  # First year of the policy. Default: the first year after the origin, the last year of the panel.
  # start: 2026

  # Money a year as a share of national output; 0.003 is 0.3%. Or a path over time, in calendar years or in
  # years since the start; before its first year nothing is spent:
  # budget: {2026: 0.002, 2030: 0.004}
  # budget: {start: 0.001, start+5: 0.003, interpolate: linear}
  budget: 0.003

  # What the money buys, in all regions alike; levers that are left out get nothing. Must sum to 1.
  # Or a path over time; the first mix also holds before its year:
  # mix: {start: {access: 1}, start+5: {skills: 1}}
  mix:
    access: 0.30         # networks and price subsidies             接入
    skills: 0.20         # digital skills                           技能
    application: 0.20    # digital methods in firms                 应用
    data: 0.15           # opening and trading data                 数据
    governance: 0.05     # standards and services across borders    治理
    knowledge: 0.05      # knowledge-sharing platform               知识
    compensation: 0.05   # keeping talent and savings               补偿

  # How schedules run between their years: step (a value holds until the next year) or linear.
  # interpolate: step

  # 0: the mix above for all regions; 1: a mix for each class, from class_mixes; or in between.
  differentiation: 0
  # Classes that are left out keep the inherited mix:
  # class_mixes:
  #   lagging: {access: 0.4, skills: 0.4, compensation: 0.2}

  # Levers that are off, or on and off over time; their money stays unspent:
  # levers: {data: off, skills: {start+2: on, start+10: off}}

  # Money by region: -1 follows output, 0 per head, 1 follows need.
  redistribution: 0

  # true: each region moves its money to the levers that score well and drops those that do not.
  rolling_evaluation: false

  # Who gets the money. Regions (code or name in either language) and groups add up; classes choose
  # within them.
  # targets:
  #   regions: [Gansu, 贵州, 530000]
  #   groups: [West]
  #   classes: [lagging, transition]

# What is not chosen: constants of the model by key or name. The baseline is run under them too.
# assumptions:
#   Homogenisation Sensitivity: 0
"""


def scenario_template() -> str:
    """Return a commented scenario file that loads as it is.

    Returns
    -------
    str
        YAML.
    """
    return TEMPLATE
