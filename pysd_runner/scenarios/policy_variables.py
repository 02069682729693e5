"""Which variable of the model carries which setting of a policy: one line per setting."""

POLICY_VARIABLES: dict[str, str] = {
    "start": "Policy Start Time",
    "budget": "Policy Budget Share",
    "mix": "Uniform Mix",
    "differentiation": "Differentiation",
    "class_mixes": "Mix by Class",
    "levers": "Lever Active",
    "redistribution": "Redistribution Exponent",
    "rolling_evaluation": "Rolling Evaluation Switch",
    "targets.regions": "Region Target",
    "targets.classes": "Class Target",
}
