"""Small models, one per feature, written for these tests."""

from pathlib import Path

CONTROL = """
INITIAL TIME = 0 ~ Year ~ |
FINAL TIME = {final} ~ Year ~ |
TIME STEP = {step} ~ Year ~ |
SAVEPER = {saveper} ~ Year ~ |
"""

# With missing values, which PySD compares as NaN: `d` until time 2, `e` until time 1.
MISSING = (
    "p = 3 ~~|\nd = IF THEN ELSE(Time < 2, :NA:, Time) ~~|\ne = IF THEN ELSE(Time < 1, :NA:, 5) ~~|\n"
    "larger = MAX(0, p + d) ~~|\nneither = MAX(d, e) ~~|\nsmaller = MIN(0, d) ~~|\n"
    "below = IF THEN ELSE(5 > d, 1, 0) ~~|\nfrom = IF THEN ELSE(d >= e, 1, 0) ~~|\n"
    "same = IF THEN ELSE(d = e, 1, 0) ~~|\nother = IF THEN ELSE(d <> e, 1, 0) ~~|\n"
    "R: u, v, w ~~|\nx[u] = 7 ~~|\nx[v] = -p ~~|\nx[w] = d ~~|\ntop = VMAX(x[R!]) ~~|\n"
    "known = IF THEN ELSE(d = :NA:, 0, d) ~~|\nroot = SQRT(known - 9) ~~|\nnumber = MAX(root, 1) ~~|"
)

FEATURES = {
    "arithmetic": "a = 2 ~~|\nb = -a^2 + 3*(a - 1)/4 - a*-1 ~~|\nc = 2^3^2 ~~|\nd = a - 1 - 2 + 3 ~~|",
    "logic": (
        "a = Time ~~|\n"
        "b = IF THEN ELSE(a > 1 :AND: a <= 3 :OR: a = 5, 1, 2) ~~|\n"
        "c = IF THEN ELSE(:NOT: a <> 2, 10, a) ~~|\n"
        "d = IF THEN ELSE(a >= 2, a, 0) + IF THEN ELSE(a < 2, 1, 0) ~~|"
    ),
    "functions": (
        "a = 0.3 + 0.05*Time ~~|\n"
        "b = EXP(a) + LN(a) + SQRT(a) + ABS(-a) + SIN(a) + COS(a) + TAN(a) ~~|\n"
        "c = ARCSIN(a/2) + ARCCOS(a/2) + ARCTAN(a) + SINH(a) + COSH(a) + TANH(a) ~~|\n"
        "d = MIN(a, 0.5) + MAX(a, 0.5) + LOG(a, 10) + POWER(a, 2) ~~|\n"
        "e = INTEGER(10*a) + MODULO(10*a, 3) + QUANTUM(10*a, 2) ~~|\n"
        "f = ZIDZ(1, a - 0.3) + XIDZ(1, a - 0.3, 7) ~~|"
    ),
    "stock": "s = INTEG(-0.1*s + 2, 5) ~~|\nt2 = INTEG(s - t2/3, s) ~~|",
    "subscripts": (
        "R: A, B, C ~~|\nP: R ~~|\nL: x1, x2 ~~|\nSub: A, C ~~|\n"
        "k[R] = 1, 2, 3 ~~|\nm[L,R] = 1, 2, 3; 4, 5, 6; ~~|\n"
        "s[R] = INTEG(k[R] - 0.1*s[R] + SUM(w[R,P!]*s[P!]), k[R]) ~~|\n"
        "w[R,P] = IF THEN ELSE(R = P, 0, k[P]/SUM(k[R!])) ~~|\n"
        "need[x1,R] = s[R]*2 ~~|\nneed[x2,R] = m[x2,R] + SUM(m[L!,R]) ~~|\n"
        "top = VMAX(s[R!]) ~~|\nlow = VMIN(need[L!,R!]) ~~|\nproduct[R] = PROD(need[L!,R]) ~~|\n"
        "one = s[B] + need[x1,C] ~~|\npart[Sub] = s[Sub]*10 ~~|\ncount = ELMCOUNT(R) ~~|\n"
        "swap[R,L] = m[L,R] + s[R] ~~|\nover[A] = 1 ~~|\nover[B] = s[A] ~~|\nover[C] = s[B] ~~|"
    ),
    "tables": (
        "f([(0,0)-(10,10)],(0,1),(2,3),(5,4),(10,10)) ~~|\n"
        "a = f(Time*2) ~~|\nc = f(3) ~~|\nR: A, B ~~|\nk[R] = 1.5, 2.5 ~~|\nd[R] = f(1.5)*k[R] + c ~~|\n"
        "b = WITH LOOKUP(Time - 1, ([(0,0)-(1,1)],(0,0.5),(1,1),(3,0))) ~~|"
    ),
    "smooth": (
        "x = 1 + STEP(2, 2.3) ~~|\na = SMOOTH(x, 2) ~~|\nb = SMOOTHI(x, 2, 4.5) ~~|\n"
        "c = SMOOTH3(x, 3) ~~|\nd = SMOOTH3I(x, 3, 0.5) ~~|"
    ),
    "delay": (
        "x = 1.5 + STEP(2, 2.3) ~~|\na = DELAY1(x, 2) ~~|\nb = DELAY1I(x, 2, 4.5) ~~|\n"
        "c = DELAY3(x, 3) ~~|\nd = DELAY3I(x, 3, 0.5) ~~|"
    ),
    "order": (
        "x = 1.5 + STEP(2, 2.3) ~~|\na = DELAY N(x, 2.5, 0.7, 4) ~~|\nb = SMOOTH N(x, 2.5, 0.7, 4) ~~|\n"
        "wait = 2.5 + STEP(1, 1) - STEP(1.5, 3) ~~|\nc = DELAY N(x, wait, 0.7, 3) ~~|\n"
        "d = SMOOTH N(x, wait, 0.7, 2) ~~|\ne = DELAY N(x, wait, 0.7, 1) ~~|"
    ),
    "order reduced": "x = 1.5 + Time ~~|\na = DELAY N(x, 0.6, 0.7, 4) ~~|\nb = DELAY N(x, 0.3, 0.7, 2) ~~|",
    "pipe": (
        "x = Time^2 + 0.5 ~~|\na = DELAY FIXED(x, 1.5, 7) ~~|\nb = DELAY FIXED(x, 0, x + 3) ~~|\n"
        "c = DELAY FIXED(x, 0.9, 7.5) ~~|\nd = DELAY FIXED(x, 2 + 2*COS(Time), 1.5) ~~|\n"
        "e = DELAY FIXED(a*0.5, 0.625, 1.5) ~~|\nf = DELAY FIXED(x, 100, 1.5) ~~|"
    ),
    "sample": (
        "x = 0.5*Time^2 ~~|\na = SAMPLE IF TRUE(Time < 2 :OR: Time > 4, x, -3) ~~|\ns = INTEG(a, 1) ~~|\n"
        "R: A, B ~~|\nk[R] = 1, 3 ~~|\nb[R] = SAMPLE IF TRUE(k[R] < Time, x*k[R], 7) ~~|"
    ),
    "forecast": "x = 1 + 0.1*Time^2 ~~|\na = FORECAST(x, 2, 5) ~~|",
    "arrays": (
        "R: A, B, C ~~|\nP: R ~~|\nL: x1, x2 ~~|\nk[R] = 3, 1, 2 ~~|\n"
        "w[L,R] = k[R]*Time + IF THEN ELSE(L = 1, 0.5, -k[R]*3) ~~|\n"
        "up[L,R] = VECTOR SORT ORDER(w[L,R], 1) ~~|\ndown[L,R] = VECTOR SORT ORDER(w[L,R], 0) ~~|\n"
        "rank[L,R] = VECTOR RANK(w[L,R] + 0*k[R], 1) ~~|\nback[R] = VECTOR RANK(k[R]*2, -1) ~~|\n"
        "sorted[L,R] = VECTOR REORDER(w[L,R], up[L,R]) ~~|\nm[R,P] = IF THEN ELSE(R = P, 4 + Time, k[P]/k[R]) ~~|\n"
        "inverse[R,P] = INVERT MATRIX(m[R,P], 3) ~~|"
    ),
    "select": (
        "R: A, B, C, D ~~|\nL: x1, x2 ~~|\nk[R] = 3, 1.5, 2, 0.5 ~~|\npick[L,R] = 0, 1, 2, 0; 0, 0, 0, 0; ~~|\n"
        "v[R] = k[R] + Time ~~|\n"
        "a[L] = VECTOR SELECT(pick[L,R!], v[R!], -7, 0, 0) ~~|\nb[L] = VECTOR SELECT(pick[L,R!], v[R!], -7, 1, 0) ~~|\n"
        "c[L] = VECTOR SELECT(pick[L,R!], v[R!], -7, 2, 0) ~~|\nd[L] = VECTOR SELECT(pick[L,R!], v[R!], -7, 3, 0) ~~|\n"
        "e[L] = VECTOR SELECT(pick[L,R!], v[R!], -7, 4, 0) ~~|\nf[L] = VECTOR SELECT(pick[L,R!], v[R!], -7, 5, 0) ~~|\n"
        "g[L] = VECTOR SELECT(pick[L,R!], v[R!], -7, 6, 0) ~~|\nh[L] = VECTOR SELECT(pick[L,R!], v[R!], -7, 7, 0) ~~|\n"
        "i[L] = VECTOR SELECT(pick[L,R!], v[R!], -7, 8, 0) ~~|\nj[L] = VECTOR SELECT(pick[L,R!], v[R!], -7, 9, 0) ~~|\n"
        "l[L] = VECTOR SELECT(pick[L,R!], v[R!], -7, 10, 0) ~~|\n"
        "all = VECTOR SELECT(pick[L!,R!], v[R!], -7, 10, 0) + VECTOR SELECT(k[R!], pick[L!,R!], -7, 10, 0) ~~|\n"
        "moving[L] = VECTOR SELECT(pick[L,R!], v[R!], -7, INTEGER(Time), 0) ~~|"
    ),
    "allocation": (
        "R: A, B, C ~~|\nL: x1, x2 ~~|\nprofile: kind, priority, width, extra ~~|\nask[L,R] = 5, 3, 0; 2, 6, 4; ~~|\n"
        "first[R] = 4, 3, 1 ~~|\nhave[L] = 0.7*Time + IF THEN ELSE(L = 1, 0, 3) ~~|\n"
        "by priority[L,R] = ALLOCATE BY PRIORITY(ask[L,R], first[R], 3, 1.5, have[L]) ~~|\n"
        "pp[R,profile] = 1, 4, 2, 0; 2, 3, 4, 0; 1, 2.5, 3, 0; ~~|\n"
        "available[L,R] = ALLOCATE AVAILABLE(ask[L,R], pp[R,kind], have[L]) ~~|"
    ),
    "active initial": (
        "s = INTEG(x, 2) ~~|\nx = ACTIVE INITIAL(s, 3) + 1 ~~|\nu = INTEG(0.1*u, x) ~~|\n"
        "R: A, B ~~|\nk[R] = 2, 3 ~~|\ny[R] = k[R]*ACTIVE INITIAL(u + k[R], k[R]) ~~|\nw[R] = INTEG(0, y[R]) ~~|"
    ),
    "clock": "R: A, B, C ~~|\na[R] = GET TIME VALUE(0, R/3, 0) ~~|",
    "inputs": (
        "a = STEP(3, 2) + RAMP(0.5, 1, 4) ~~|\nb = PULSE(2, 1.5) ~~|\n"
        "c = PULSE TRAIN(1, 0.5, 2, 4.8) ~~|\nd = PULSE(2, 0.1) ~~|\ns = INTEG(a + b, 0) ~~|"
    ),
    "initial": (
        "s = INTEG(0.3*s, 2) ~~|\na = s^2 ~~|\nb = INITIAL(a) + Time ~~|\n"
        "t2 = INTEG(b, INITIAL(a) + 1) ~~|\nc = ACTIVE INITIAL(s + 1, 9) ~~|\nu = INTEG(0, c) ~~|"
    ),
    "trend": "x = 1 + 0.1*Time ~~|\na = TREND(x, 2, 0.05) ~~|",
    "game": "a = GAME(Time*2) ~~|\ns = INTEG(a, 0) ~~|",
    "names": (
        '"Quoted, name (1)" = 3 ~~|\nName_with  spaces = "Quoted, name (1)" + 1 ~~|\n中文 变量 = name with spaces*2 ~~|'
    ),
}

# Random functions: PySD draws other numbers, so these are tested by their moments.
RANDOM = (
    "few = 1 ~~|\nR: A, B, C ~~|\nn = RANDOM 0 1() ~~|\nu = RANDOM UNIFORM(2, few + 4, 7) ~~|\n"
    "z = RANDOM NORMAL(-100, 100, 3, 2*few, 7) ~~|\ncut[R] = RANDOM NORMAL(1, 2, 0, few, 7) ~~|\n"
    "far = RANDOM NORMAL(6, 8, 0, few, 7) ~~|\ne = RANDOM EXPONENTIAL(0, 1000, 1, 2*few, 7) ~~|\n"
    "late = RANDOM EXPONENTIAL(2, 3, 1, few, 7) ~~|\nsame = RANDOM NORMAL(0, 9, 4, 0*few, 7) ~~|\n"
)


def write_model(folder: Path, equations: str, *, final: float = 6, step: float = 0.25, saveper: float = 0.25) -> Path:
    """Write equations with a control section to a file and give its path."""
    path = folder / "model.mdl"
    path.write_text("{UTF-8}\n" + equations + CONTROL.format(final=final, step=step, saveper=saveper), encoding="utf-8")
    return path
