"""What rewriting is called: rules and phases by their names, and by those of Theano's that do the same.

>>> named("stabilize"), named("log_one_plus"), named("local_expm1"), named("local_nothing")
(frozenset({'stabilize'}), frozenset({'log_one_plus'}), frozenset({'exp_minus_one'}), frozenset())
"""

from __future__ import annotations

from symtensor.rewrite.phases import PIPELINE

__all__ = ["THEANOS", "named"]

THEANOS = {
    "BlasOpt": "contract", "blas": "contract",
    "gemm_optimizer": "accumulated_product", "local_dot_to_gemm": "accumulated_product",
    "inv_as_solve": "solution_by_inverse inverse_times times_inverse",
    "local_0_dot_x": "product_with_zeros", "local_1msigmoid": "one_minus_sigmoid", "local_abs_lift": "absolute_twice",
    "local_add_canonizer": "collect_terms", "local_cut_useless_reduce": "reduction_of_single_elements",
    "local_det_chol": "determinant_of_positive_definite", "local_div_to_inv": "one_over",
    "local_dimshuffle_lift": "axes_before_elementwise axes_twice axes_in_place",
    "local_erf_minus_one": "erf_minus_one", "local_exp_over_1_plus_exp": "exp_over_one_plus_exp",
    "local_expm1": "exp_minus_one", "local_func_inv": "exp_of_log log_of_exp expm1_of_log1p log1p_of_expm1 exp2_of_log2"
    " log2_of_exp2 double_negation reciprocal_twice",
    "local_greedy_distributor": "multiply_out", "local_inv_1_plus_exp": "reciprocal_of_one_plus_exp",
    "local_lift_transpose_through_dot": "transpose_of_product", "local_log1p": "log_one_plus log_one_minus",
    "local_log_add": "log_add_exp", "local_log_erfc": "log_of_erfc log_of_erfc_single",
    "local_log_sum_exp": "log_sum_exp", "local_mul_canonizer": "collect_factors",
    "local_mul_switch_sink": "choice_of_numbers", "local_mul_to_sqr": "product_with_itself",
    "local_mul_zero": "times_zero", "local_neg_div_neg": "quotient_of_negations", "local_neg_neg": "double_negation",
    "local_one_minus_erf": "one_minus_erf", "local_one_minus_erfc": "one_minus_erfc",
    "local_one_plus_erf": "one_plus_erf", "local_op_of_op": "reduction_of_reduction",
    "local_pow_canonicalize": "zeroth_power first_power power_of_one",
    "local_pow_specialize": "second_power minus_first_power half_power minus_half_power power_of_two",
    "local_reshape_chain": "reshape_twice", "local_reshape_lift": "reshape_before_elementwise",
    "local_subtensor_lift": "slice_before_elementwise", "local_subtensor_merge": "slice_of_slice",
    "local_sum_prod_div_dimshuffle": "divisor_out_of_sum", "local_sum_prod_mul_by_scalar": "factor_out_of_sum",
    "local_useless_reshape": "useless_reshape", "local_useless_subtensor": "useless_slice",
    "local_useless_switch": "choice_if_true choice_if_false choice_of_equals", "local_zero_div": "zero_over",
    "remove_constants_and_unused_inputs_scan": "loops", "scan_opt": "loops",
    "transinv_to_invtrans": "transposed_inverse",
    "psd_solve_with_chol": "solution_by_positive_definite", "tag_solve_triangular":
    "solution_by_lower_triangle solution_by_upper_triangle",
}
"""By names of Theano's rewritings: the rules, passes or phases that do what they do there."""


def named(tag: str) -> frozenset[str]:
    """The rules, passes or phases that a name stands for; nothing for one that has no counterpart."""
    phases = PIPELINE["fast_run"]
    own = tag in {phase.name for phase in phases} or any(tag in phase.names() for phase in phases)
    return frozenset([tag] if own else THEANOS.get(tag, "").split())
