def all_figures(learner, test):
    return {}
