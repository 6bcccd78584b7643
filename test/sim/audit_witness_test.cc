#include "sim/audit_witness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/simulated_clock_fake.h"

namespace miroir::sim {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AuditWitnessTest : public ::testing::Test {
 protected:
  void begin(std::uint64_t pass) { write(pass, "running", Json()); }
  void end(std::uint64_t pass) { write(pass, "completed", "then"); }
  void write(std::uint64_t pass, const std::string& state, Json ended) {
    const Json report = Json::object(
        {{"pass", pass}, {"kind", "deep"}, {"state", state}, {"endedAt", std::move(ended)}});
    witness_.committed(Batch().put(Table::kPass, key_of(pass), to_text(report)));
  }
  void repair(std::uint64_t pass, const std::string& outcome) {
    witness_.committed(Batch().put(Table::kRepair, key_of(pass) + key_of(0),
                                   to_text(Json::object({{"outcome", outcome}}))));
  }
  void forget(std::uint64_t up_to) {
    Batch batch;
    batch.erase_range(Table::kPass, "", key_of(up_to + 1));
    batch.erase_range(Table::kRepair, "", key_of(up_to + 1));
    witness_.committed(batch);
  }
  void wait(Seconds time) { clock_.advance_to(clock_.now() + time); }

  SimulatedClock clock_;
  AuditWitness witness_{clock_, Seconds(100)};
};

TEST_F(AuditWitnessTest, APassMayGoSoLongAfterItsEnd) {
  begin(1);
  repair(1, "restored");
  wait(Seconds(200));
  end(1);
  wait(Seconds(50));
  forget(1);
  EXPECT_THAT(witness_.take_wrong(), SizeIs(2));
  begin(2);
  repair(2, "restored");
  end(2);
  wait(Seconds(101));
  forget(2);
  EXPECT_THAT(witness_.take_wrong(), IsEmpty());
  EXPECT_THAT(witness_.repairs(), SizeIs(2));
}

TEST_F(AuditWitnessTest, OneWhoseEndWasNotWrittenGoesWithTheNext) {
  begin(1);
  wait(Seconds(200));
  begin(2);
  end(2);
  forget(1);
  EXPECT_THAT(witness_.take_wrong(), ElementsAre(HasSubstr("too early")));
  wait(Seconds(101));
  forget(2);
  EXPECT_THAT(witness_.take_wrong(), IsEmpty());
}

TEST_F(AuditWitnessTest, ItMustBeGoneOnceAnotherHasEnded) {
  begin(1);
  end(1);
  wait(Seconds(102));
  begin(2);
  end(2);
  begin(3);
  witness_.check_repairs(Json::array());
  EXPECT_THAT(witness_.take_wrong(), IsEmpty());
  witness_.check_passes(Json::array());
  EXPECT_THAT(witness_.take_wrong(),
              ElementsAre(HasSubstr("still there"), HasSubstr("there are 0")));
}

// The clock is ahead for a while: what ended by it is not old, and what comes after it may wait.
TEST_F(AuditWitnessTest, ItBearsAClockThatIsSet) {
  clock_.set_wall_offset(Seconds(3'600));
  begin(1);
  end(1);
  wait(Seconds(10));
  witness_.note_time();
  clock_.set_wall_offset(Seconds(0));
  begin(2);
  end(2);
  wait(Seconds(110));
  begin(3);
  end(3);
  begin(4);
  witness_.check_passes(Json::array());
  EXPECT_THAT(witness_.take_wrong(), Each(HasSubstr("there are 0")));
  forget(2);
  EXPECT_THAT(witness_.take_wrong(), IsEmpty());
}

TEST_F(AuditWitnessTest, OnlyWhatWasAnnouncedAndNotDoneIsTakenAway) {
  begin(1);
  repair(1, "being sent, and not read again yet");
  witness_.committed(Batch().erase(Table::kRepair, key_of(1) + key_of(0)));
  EXPECT_THAT(witness_.take_wrong(), IsEmpty());
  EXPECT_THAT(witness_.repairs(), IsEmpty());
  repair(1, "restored");
  witness_.committed(Batch().erase(Table::kRepair, key_of(1) + key_of(0)));
  EXPECT_THAT(witness_.take_wrong(), ElementsAre(HasSubstr("taken away")));
}

TEST_F(AuditWitnessTest, NoPassHasTheNumberOfAnother) {
  begin(1);
  begin(1);
  EXPECT_THAT(witness_.take_wrong(), ElementsAre(HasSubstr("there was a pass 1 before")));
}

}  // namespace
}  // namespace miroir::sim
