#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace miroir {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(MetricsTest, CounterStandsAtZeroFromTheStart) {
  Metrics metrics;
  Counter counter = metrics.counter("things_total", "Things seen", {{"kind", "a"}});
  EXPECT_THAT(metrics.text(), HasSubstr("# HELP things_total Things seen\n"
                                        "# TYPE things_total counter\n"
                                        "things_total{kind=\"a\"} 0\n"));
  counter.increment();
  counter.increment(2);
  EXPECT_EQ(counter.value(), 3);
  EXPECT_THAT(metrics.text(), HasSubstr("things_total{kind=\"a\"} 3\n"));
}

TEST(MetricsTest, SameNameAndLabelsAreOneMetric) {
  Metrics metrics;
  metrics.counter("a_total", "A", {{"k", "v"}}).increment();
  metrics.counter("a_total", "A", {{"k", "v"}}).increment();
  metrics.counter("a_total", "A", {{"k", "w"}}).increment();
  EXPECT_THAT(metrics.text(), HasSubstr("a_total{k=\"v\"} 2\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("a_total{k=\"w\"} 1\n"));
  metrics.gauge("g", "G").set(5);
  EXPECT_EQ(metrics.gauge("g", "G").value(), 5);
}

TEST(MetricsTest, RemovedGaugeIsGoneAndMayComeBack) {
  Metrics metrics;
  metrics.gauge("state", "State", {{"s", "a"}}).set(1);
  metrics.gauge("state", "State", {{"s", "b"}}).set(2);
  metrics.remove_gauge("state", {{"s", "a"}});
  metrics.remove_gauge("state", {{"s", "never was"}});
  EXPECT_THAT(metrics.text(), Not(HasSubstr("s=\"a\"")));
  EXPECT_THAT(metrics.text(), HasSubstr("state{s=\"b\"} 2\n"));
  EXPECT_EQ(metrics.gauge("state", "State", {{"s", "a"}}).value(), 0);
}

TEST(MetricsTest, HistogramCountsIntoItsBuckets) {
  Metrics metrics;
  Histogram histogram = metrics.histogram("seconds", "Seconds", {0.1, 1});
  histogram.observe(0.05);
  histogram.observe(0.5);
  histogram.observe(5);
  EXPECT_THAT(metrics.text(), HasSubstr("seconds_bucket{le=\"0.1\"} 1\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("seconds_bucket{le=\"1\"} 2\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("seconds_bucket{le=\"+Inf\"} 3\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("seconds_count 3\n"));
}

TEST(MetricsTest, LabelValuesAreEscaped) {
  Metrics metrics;
  metrics.counter("a_total", "A", {{"k", "x\"\\\ny"}});
  EXPECT_THAT(metrics.text(), HasSubstr("a_total{k=\"x\\\"\\\\\\ny\"} 0\n"));
}

TEST(MetricsTest, UnresolvedHandleIsABrokenInvariant) {
  EXPECT_DEATH(Counter().increment(), "broken invariant");
}

}  // namespace
}  // namespace miroir
