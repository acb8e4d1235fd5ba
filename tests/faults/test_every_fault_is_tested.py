"""The list of faults that the library meets on purpose: each has a test, and a control beside it.

A control shows that the healthy case passes, or that the test would fail where the fault is let
in; where it stands in the test itself, both are one name.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

# The number of a fault -> (file, test, control), in words of `tests/`.
FAULTS: dict[int, tuple[str, str, str]] = {
    # Shapes and types.
    1: (
        "faults/test_fault_shapes.py",
        "test_fault_1_an_energy_of_shape_b_by_1_is_refused_and_squeezed_it_passes",
        "test_fault_1_an_energy_of_shape_b_by_1_is_refused_and_squeezed_it_passes",
    ),
    2: (
        "faults/test_fault_shapes.py",
        "test_fault_2_a_scalar_energy_is_refused",
        "test_fault_1_a_batch_of_one_and_a_plain_potential_are_no_way_round",
    ),
    3: (
        "faults/test_fault_shapes.py",
        "test_fault_3_batches_that_differ_are_refused",
        "test_fault_3_batches_that_differ_are_refused_with_a_latent",
    ),
    4: (
        "faults/test_fault_shapes.py",
        "test_fault_4_an_empty_batch_is_refused_by_name",
        "test_fault_4_an_empty_batch_is_refused_by_name",
    ),
    5: (
        "faults/test_fault_shapes.py",
        "test_fault_5_a_z_without_batch_is_refused",
        "test_fault_5_a_z_without_batch_is_refused",
    ),
    6: (
        "faults/test_fault_dtypes_and_devices.py",
        "test_fault_6_single_and_double_precision_do_not_mix",
        "test_fault_6_data_in_double_meets_no_network_in_single_precision",
    ),
    7: (
        "faults/test_fault_dtypes_and_devices.py",
        "test_fault_7_integers_have_no_gradient",
        "test_fault_7_integers_have_no_gradient",
    ),
    8: (
        "faults/test_fault_dtypes_and_devices.py",
        "test_fault_8_x_and_y_on_different_devices_are_refused",
        "test_fault_8_x_and_y_on_different_devices_are_refused",
    ),
    9: (
        "faults/test_fault_dtypes_and_devices.py",
        "test_fault_9_half_precision_points_move_in_single_precision",
        "test_fault_9_half_precision_points_move_in_single_precision",
    ),
    10: (
        "faults/test_fault_gradients_and_inputs.py",
        "test_fault_10_an_energy_detached_from_y_is_refused",
        "test_fault_10_an_energy_detached_from_z_is_refused",
    ),
    11: (
        "faults/test_fault_gradients_and_inputs.py",
        "test_fault_11_no_use_changes_its_input_in_place",
        "test_fault_11_no_inference_changes_its_input_in_place",
    ),
    # Numbers.
    12: (
        "samplers/test_sampler_faults.py",
        "test_langevin_that_reaches_nan_names_step_and_chain",
        "test_mala_rejects_and_counts_proposals_without_energy",
    ),
    13: (
        "samplers/test_sampler_faults.py",
        "test_mala_rejects_and_counts_proposals_without_energy",
        "test_a_target_that_is_nan_below_its_edge_keeps_its_mean",
    ),
    14: (
        "faults/test_faults_of_density_objectives.py",
        "test_faults_12_to_14_no_step_is_taken_on_energies_that_are_not_finite",
        "test_faults_12_to_14_no_step_is_taken_on_energies_that_are_not_finite",
    ),
    15: (
        "training/test_fit_guard.py",
        "test_a_step_on_bad_gradients_is_skipped_and_counted",
        "test_large_finite_gradients_are_not_mistaken_for_infinite_ones",
    ),
    16: (
        "faults/test_fault_numbers.py",
        "test_fault_16_short_and_zero_vectors_are_normalized_with_a_finite_gradient",
        "test_fault_16_a_zero_code_does_not_spoil_a_contrastive_step",
    ),
    17: (
        "faults/test_fault_numbers.py",
        "test_fault_17_a_batch_of_one_has_no_variance_and_no_others",
        "test_fault_17_a_batch_of_one_has_no_variance_and_no_others",
    ),
    18: (
        "faults/test_fault_numbers.py",
        "test_fault_18_step_sizes_and_divisors_must_be_positive",
        "test_fault_18_temperatures_must_not_be_negative",
    ),
    19: (
        "samplers/test_sampler_faults.py",
        "test_langevin_on_an_energy_unbounded_below_diverges",
        "test_a_deep_well_is_no_divergence",
    ),
    20: (
        "samplers/test_sampler_faults.py",
        "test_an_offset_drowns_single_precision_as_double_precision_does_not",
        "test_an_offset_drowns_single_precision_as_double_precision_does_not",
    ),
    # Training.
    21: (
        "faults/test_fault_collapse.py",
        "test_fault_21_the_energy_loss_alone_collapses_and_is_told_once",
        "test_fault_21_variance_keeps_codes_apart_and_nothing_is_told",
    ),
    22: (
        "faults/test_fault_chains.py",
        "test_fault_22_chains_that_leave_the_data_are_told",
        "test_the_health_of_chains_is_counted",
    ),
    23: (
        "faults/test_fault_chains.py",
        "test_fault_23_chains_that_accept_nothing_are_told",
        "test_the_health_of_chains_is_counted",
    ),
    24: (
        "faults/test_fault_chains.py",
        "test_fault_24_a_pool_that_has_coalesced_or_stands_is_told",
        "test_fault_24_a_pool_that_has_coalesced_or_stands_is_told",
    ),
    25: (
        "inference/test_convergence.py",
        "test_fault_45_no_unit_and_no_offset_changes_z_in_silence",
        "test_a_row_that_starts_at_its_minimum_is_done_at_once",
    ),
    26: (
        "faults/test_fault_training.py",
        "test_fault_26_batch_norm_in_training_mode_warns_once_a_draw_and_sets_a_metric",
        "test_fault_26_batch_norm_in_training_mode_warns_once_a_draw_and_sets_a_metric",
    ),
    27: (
        "faults/test_fault_training.py",
        "test_fault_27_nothing_leaves_or_changes_gradients_on_parameters",
        "test_fault_27_no_inference_leaves_gradients_on_parameters",
    ),
    28: (
        "faults/test_fault_training.py",
        "test_fault_28_chains_go_downhill_and_with_the_sign_turned_round_up",
        "test_fault_28_chains_go_downhill_and_with_the_sign_turned_round_up",
    ),
    # Randomness and ranks.
    29: (
        "faults/test_fault_chains.py",
        "test_faults_29_and_30_ranks_and_workers_have_streams_of_their_own",
        "test_faults_29_and_30_ranks_and_workers_have_streams_of_their_own",
    ),
    30: (
        "faults/test_fault_chains.py",
        "test_faults_29_and_30_ranks_and_workers_have_streams_of_their_own",
        "test_faults_29_and_30_ranks_and_workers_have_streams_of_their_own",
    ),
    31: (
        "faults/test_fault_randomness.py",
        "test_fault_31_no_use_touches_the_global_generators",
        "test_fault_31_what_draws_asks_for_a_generator_and_obeys_it",
    ),
    32: (
        "ranks/test_ranks.py",
        "test_unequal_batches_are_named_on_every_rank_before_anything_moves",
        "test_a_loss_of_all_rows_has_the_gradient_of_one_process",
    ),
    33: (
        "ranks/test_ranks.py",
        "test_gradients_of_gradients_are_those_of_one_process",
        "test_without_the_gradient_of_the_gather_the_result_is_another",
    ),
    34: (
        "cli/test_torchrun.py",
        "test_where_one_rank_ends_all_end_soon_and_the_run_goes_on",
        "test_ranks_train_one_run_to_the_weights_of_one_process",
    ),
    # Files.
    35: (
        "training/test_checkpoint_damage.py",
        "test_a_flipped_bit_anywhere_is_refused_and_changes_nothing",
        "test_an_intact_file_of_another_make_is_refused",
    ),
    36: (
        "training/test_checkpoint_damage.py",
        "test_a_truncated_empty_or_longer_file_is_refused",
        "test_an_intact_file_of_another_make_is_refused",
    ),
    37: (
        "training/test_checkpoint_writing.py",
        "test_a_process_killed_while_saving_leaves_a_whole_file",
        "test_a_process_killed_while_saving_leaves_a_whole_file",
    ),
    38: (
        "training/test_checkpoint_writing.py",
        "test_a_full_disk_leaves_the_old_file_and_no_litter",
        "test_folders_are_made_and_others_may_read_the_file",
    ),
    39: (
        "training/test_checkpoint_damage.py",
        "test_a_pickle_is_refused_and_never_executed",
        "test_a_pickle_is_refused_and_never_executed",
    ),
    40: (
        "data/test_image_files.py",
        "test_a_damaged_download_is_fetched_again_once",
        "test_files_are_downloaded_once_each_from_their_own_place",
    ),
    41: (
        "faults/test_fault_inputs.py",
        "test_fault_41_no_archive_is_unpacked_into_a_folder",
        "test_fault_41_no_archive_is_unpacked_into_a_folder",
    ),
    42: (
        "training/test_checkpoint_mismatch.py",
        "test_every_difference_of_the_method_is_listed_and_nothing_changes",
        "test_tied_weights_do_not_go_into_untied_ones_nor_back",
    ),
    43: (
        "data/test_image_files.py",
        "test_a_cache_that_cannot_be_made_is_refused_before_anything_is_fetched",
        "test_a_read_only_cache_is_refused_unless_it_holds_the_files",
    ),
    # Found in use.
    44: (
        "core/test_precise.py",
        "test_kmeans_and_mixtures_in_half_precision_are_those_of_single",
        "test_casts_leave_what_adds_up_its_bits_and_follow_double_and_device",
    ),
    45: (
        "inference/test_convergence.py",
        "test_fault_45_no_unit_and_no_offset_changes_z_in_silence",
        "test_float32_beside_an_offset_does_not_stop_at_its_start",
    ),
    46: (
        "core/test_distances.py",
        "test_the_nearest_are_those_of_direct_differences",
        "test_the_product_alone_is_wrong_there",
    ),
    47: (
        "inference/test_sinkhorn.py",
        "test_every_scale_is_that_of_logarithms",
        "test_products_beyond_their_reach_would_be_wrong",
    ),
    48: (
        "energies/test_zero_times_infinity.py",
        "test_logits_at_the_end_of_every_type_cost_as_in_double_precision",
        "test_bits_that_are_certain_cost_nothing_or_infinitely_much",
    ),
    49: (
        "methods/test_kmeans.py",
        "test_starts_are_the_same_at_any_scale",
        "test_starts_are_spread_by_squared_distance",
    ),
    50: (
        "faults/test_fault_arrivals.py",
        "test_fault_50_events_that_would_broadcast_are_refused",
        "test_fault_50_a_network_takes_x_and_y_of_their_own_widths_only",
    ),
    51: (
        "faults/test_fault_arrivals.py",
        "test_fault_51_a_loss_of_another_shape_than_the_batch_is_refused",
        "test_fault_51_negatives_are_k_for_each_datum",
    ),
    52: (
        "negatives/test_negatives_replay_of_x.py",
        "test_no_point_ever_runs_under_two_x",
        "test_chains_last_where_the_pool_holds_every_x_and_are_born_anew_where_it_does_not",
    ),
    53: (
        "samplers/test_far_chains.py",
        "test_chains_come_in_from_behind_a_wall",
        "test_without_warmth_or_time_they_do_not_and_are_told_of",
    ),
    54: (
        "faults/test_fault_arrivals.py",
        "test_fault_54_whole_and_complex_numbers_and_arrays_are_refused",
        "test_fault_54_labels_are_told_from_shares",
    ),
    55: (
        "ranks/test_ranks_of_batch_norm.py",
        "test_unequal_shares_are_one_batch",
        "test_without_the_other_ranks_rows_the_values_are_others",
    ),
    56: (
        "ranks/test_ranks_of_fit.py",
        "test_fault_56_what_is_infinite_on_one_rank_is_skipped_on_all",
        "test_weights_and_record_are_those_of_one_process",
    ),
    57: (
        "training/test_folder.py",
        "test_every_flipped_bit_is_found_and_its_file_is_named",
        "test_lines_that_are_kept_stay_to_the_byte_and_others_follow",
    ),
    58: (
        "training/test_fit_goes_on.py",
        "test_a_run_goes_on_in_mid_epoch_as_if_it_had_never_stopped",
        "test_without_resume_a_run_is_not_overwritten",
    ),
    59: (
        "training/test_hostile_files.py",
        "test_a_hostile_file_is_refused_soon_and_in_little_memory",
        "test_the_same_files_are_read_where_nothing_is_wrong",
    ),
    60: (
        "metrics/test_latent.py",
        "test_z_that_is_dead_or_means_nothing_common_is_told_once_with_a_mend",
        "test_z_that_says_what_is_done_to_every_x_is_not_told",
    ),
    61: (
        "cli/test_terminal.py",
        "test_a_closed_stream_is_no_traceback",
        "test_letters_that_a_terminal_has_are_not",
    ),
}


@cache
def functions_of(file: str) -> frozenset[str]:
    """The functions of a file, by reading it alone."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def missing(row: tuple[str, str, str]) -> set[str]:
    file, *names = row
    return set(names) - functions_of(file)


def test_the_list_is_whole():
    assert list(FAULTS) == list(range(1, 62))


@pytest.mark.parametrize("number", FAULTS)
def test_a_fault_has_a_test_and_a_control(number):
    assert not missing(FAULTS[number])


def test_a_name_that_no_test_has_is_seen():
    file, test, _ = FAULTS[1]
    assert missing((file, test, "test_of_nothing")) == {"test_of_nothing"}
