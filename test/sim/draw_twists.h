#pragma once

#include "base/random.h"
#include "sim/plan.h"

namespace miroir::sim {

// What only some plans have, beside or instead of what they had.
void draw_store_loss(Phase& phase, Random& random, const FaultSet& faults);
void let_rename(Plan& plan);
void let_expire(Plan& plan, Random& random);
void let_slice(Plan& plan, std::uint64_t deleted_per_entry);
void let_cancel(Plan& plan, Random& random);
void let_say_policies(Plan& plan, Random& random);
void let_operate(Plan& plan, Random& random);
void let_strangers_write(Plan& plan, Random& random);
void let_strangers_make_indexes(Plan& plan, Random& random);
void let_drift(Plan& plan, Random& random, const FaultSet& faults);
void let_fail_to_come_and_go(Plan& plan, Random& random);
void let_collect(Plan& plan, Random& random);
void let_disks_be_replaced_swiftly(Plan& plan, Random& random);
void let_forget_deletes(Plan& plan, Random& random, const FaultSet& faults);
void let_close(Plan& plan, Random& random);
void let_lag(Plan& plan, Random& random, const FaultSet& faults);
void let_everybody_be_written_to(Plan& plan, Random& random);
void let_look_after(Plan& plan, Random& random, bool deletes);
void let_tie(Plan& plan, Random& random);
void let_tags_drift(Plan& plan, Random& random);

}  // namespace miroir::sim
