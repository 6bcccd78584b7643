#include "cli/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace miroir {
namespace {

// `lines` as members of `miroir:`, with one node unless they bring their own.
std::string config_of(const std::string& lines) {
  const bool has_nodes = lines.starts_with("nodes:");
  return "miroir:\n  " + lines + "\n" +
         (has_nodes ? "" : "  nodes: [{id: a, address: \"http://a:7700\"}]\n");
}

std::string refusal_of(const std::string& lines) {
  const auto config = parse_config(config_of(lines), "m.yaml");
  return config ? "accepted" : config.error().message;
}

std::string in_block(const std::string& path, const std::string& value) {
  const std::size_t dot = path.find('.');
  if (dot == std::string::npos) return path + ": " + value;
  return path.substr(0, dot) + ": {" + in_block(path.substr(dot + 1), value) + "}";
}

struct Key {
  std::string path;
  std::vector<std::string> accepted;
  std::vector<std::string> refused;
  std::string expected;  // what the refusal says
};

const std::vector<Key> kKeys = {
    {"shards",
     {"1", "64", "65536"},
     {"0", "65537", "-1", "1.5", "\"64\"", "many", "[1]", "010"},
     "a whole number from 1 to 65536"},
    {"log.retention.age",
     {"\"7d\"", "1h"},
     {"7", "\"soon\"", "\"0s\"", "-1d", "[]"},
     "a duration like"},
    {"log.retention.bytes",
     {"\"20GiB\"", "1048576"},
     {"0", "\"much\"", "-1", "\"20GB?\""},
     "a number of bytes"},
    {"log.tasks_kept", {"1", "1000000"}, {"0", "-1", "all"}, "a whole number from 1"},
    {"health.interval_ms", {"1", "5000"}, {"0", "-1", "\"5s\"", "x"}, "a whole number from 1"},
    {"health.timeout_ms", {"2000"}, {"0", "x"}, "a whole number from 1"},
    {"health.unhealthy_threshold", {"1", "3"}, {"0", "1001", "x"}, "a whole number from 1 to 1000"},
    {"health.recovery_threshold", {"2"}, {"0", "x"}, "a whole number from 1 to 1000"},
    {"scatter.node_timeout_ms", {"5000"}, {"0", "5s"}, "a whole number from 1"},
    {"scatter.retry_on_timeout", {"true", "false"}, {"yes", "1", "\"true\""}, "true or false"},
    {"scatter.unavailable_shard_policy",
     {"partial", "error"},
     {"maybe", "1"},
     "`partial` or `error`"},
    {"anti_entropy.enabled", {"true", "false"}, {"on", "0"}, "true or false"},
    {"anti_entropy.schedule",
     {"\"every 6h\"", "every 1d"},
     {"\"6 hours\"", "6h", "\"every 0s\"", "\"every\"", "6"},
     "a schedule like \"every 6h\""},
    {"anti_entropy.light_interval", {"\"60s\"", "500ms"}, {"60", "\"0s\"", "x"}, "a duration like"},
    {"anti_entropy.shards_per_pass",
     {"0", "8"},
     {"65537", "-1", "all"},
     "a whole number from 0 to 65536"},
    {"anti_entropy.max_read_concurrency",
     {"1", "64"},
     {"0", "65", "x"},
     "a whole number from 1 to 64"},
    {"anti_entropy.fingerprint_batch_size",
     {"1", "1000"},
     {"0", "100001", "x"},
     "a whole number from 1 to 100000"},
    {"anti_entropy.auto_repair", {"true", "false"}, {"no", "2"}, "true or false"},
    {"anti_entropy.updated_at_field",
     {"_miroir_updated_at", "_miroir_stamp"},
     {"updated_at", "_miroir_", "_miroir_slot", "_miroir_digest_0", "_miroir_A",
      "_miroir_expires_at"},
     "name"},
    {"anti_entropy.expires_at_field",
     {"_miroir_expires_at"},
     {"expires_at", "_miroir_base", "_miroir_updated_at"},
     "name"},
    {"anti_entropy.tombstone_retention", {"\"30d\"", "1h"}, {"59m", "x", "\"0s\""}, ""},
    {"anti_entropy.audit_retention", {"\"30d\""}, {"x", "\"0s\""}, "a duration like"},
    {"anti_entropy.foreign_documents", {"report", "adopt", "remove"}, {"x"}, "`report`"},
    {"anti_entropy.tie", {"quarantine", "hash"}, {"coin", "1"}, "`quarantine` or `hash`"},
    {"cdc.enabled", {"true", "false"}, {"on", "1"}, "true or false"},
    {"cdc.retention", {"\"24h\"", "90m"}, {"24", "\"0s\"", "x"}, "a duration like"},
    {"cdc.emit_ttl_deletes", {"true", "false"}, {"yes"}, "true or false"},
    {"cdc.emit_internal_writes", {"true", "false"}, {"yes"}, "true or false"},
    {"cdc.sinks", {"[]"}, {"3", "{id: a}"}, "a list of mappings"},
    {"ttl.enabled", {"true", "false"}, {"yes"}, "true or false"},
    {"ttl.sweep_interval_s", {"1", "300"}, {"0", "5m"}, "a whole number from 1 to 31536000"},
    {"ttl.max_deletes_per_sweep", {"1", "10000"}, {"0", "x"}, "a whole number from 1 to"},
    {"ttl.per_index_overrides", {"[]"}, {"3", "{index: a}"}, "a list of mappings"},
    {"server.port",
     {"0", "7700", "65535"},
     {"-1", "65536", "\"7700\"", "x"},
     "a whole number from 0 to 65535"},
    {"server.bind",
     {"0.0.0.0", "127.0.0.1", "\"::\""},
     {"nowhere", "\"\"", "1.2.3"},
     "an IP address"},
    {"server.max_body_bytes", {"104857600", "100MiB"}, {"0", "-1", "x"}, "a number of bytes"},
    {"server.max_concurrent_requests", {"1", "500"}, {"0", "x"}, "a whole number from 1"},
    {"server.request_timeout_ms", {"30000"}, {"0", "30s"}, "a whole number from 1"},
    {"metrics.port", {"0", "9090"}, {"65536", "x"}, "a whole number from 0 to 65535"},
    {"metrics.bind", {"127.0.0.1"}, {"nowhere"}, "an IP address"},
    {"store.url",
     {"\"sqlite:/var/lib/miroir.db\""},
     {"\"sqlite:\"", "\"postgresql://x\"", "\"\"", "x"},
     "an address like \"sqlite:"},
    {"logging.level", {"debug", "info", "warning", "error"}, {"loud", "1"}, "`debug` or `info`"},
    {"logging.format", {"text", "json"}, {"xml"}, "`text` or `json`"},
};

TEST(ConfigTest, EveryKeyTakesWhatItShould) {
  for (const Key& key : kKeys) {
    for (const std::string& value : key.accepted)
      EXPECT_EQ(refusal_of(in_block(key.path, value)), "accepted") << key.path << ": " << value;
  }
}

TEST(ConfigTest, EveryKeyRefusesTheRestWithFileLineKeyAndWhatWasExpected) {
  for (const Key& key : kKeys) {
    for (const std::string& value : key.refused) {
      const std::string refusal = refusal_of(in_block(key.path, value));
      // The two names of fields are held against each other: either may be named.
      const bool names = key.path.ends_with("_at_field");
      EXPECT_TRUE(refusal.starts_with("m.yaml:2: miroir." +
                                      (names ? std::string("anti_entropy.") : key.path + ": ")))
          << key.path << ": " << value << " → " << refusal;
      EXPECT_NE(refusal.find("expected "), std::string::npos) << refusal;
      EXPECT_NE(refusal.find(key.expected), std::string::npos) << refusal;
    }
  }
}

TEST(ConfigTest, EveryBlockRefusesUnknownKeysAndWhatIsNoBlock) {
  std::vector<std::string> blocks;
  for (const Key& key : kKeys) {
    for (std::size_t dot = key.path.find('.'); dot != std::string::npos;
         dot = key.path.find('.', dot + 1)) {
      const std::string block = key.path.substr(0, dot);
      if (std::ranges::find(blocks, block) == blocks.end()) blocks.push_back(block);
    }
  }
  ASSERT_GE(blocks.size(), 9u);
  for (const std::string& block : blocks) {
    EXPECT_EQ(refusal_of(in_block(block + ".unheard_of", "1")),
              "m.yaml:2: miroir." + block + ".unheard_of: unknown key");
    EXPECT_TRUE(refusal_of(in_block(block, "3"))
                    .starts_with("m.yaml:2: miroir." + block + ": expected a mapping"));
  }
  EXPECT_EQ(refusal_of("shard: 3"), "m.yaml:2: miroir.shard: unknown key; did you mean `shards`?");
  EXPECT_EQ(refusal_of("shards: 3\n  shards: 3"),
            "m.yaml:3: miroir.shards: the key is given twice");
}

TEST(ConfigTest, WhatThisVersionDoesNotHaveIsRefusedInWords) {
  for (const char* block : {"leader_election", "peer_discovery", "rebalancer"}) {
    const std::string refusal = refusal_of(std::string(block) + ": {enabled: true}");
    EXPECT_TRUE(refusal.starts_with("m.yaml:2: miroir." + std::string(block))) << refusal;
    EXPECT_NE(refusal.find("this version does not have it yet"), std::string::npos);
  }
  EXPECT_NE(refusal_of("replication_factor: 2").find("give nodes more groups"), std::string::npos);
}

TEST(ConfigTest, NodesAreCheckedOneByOne) {
  auto nodes = [](const std::string& list) { return refusal_of("nodes: [" + list + "]"); };
  EXPECT_EQ(
      nodes(
          R"({id: a, address: "http://a:1"}, {id: b, address: "http://[::1]:1", replica_group: 1})"),
      "accepted");
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"", "m.yaml:2: miroir.nodes: expected at least one node, got a list"},
      {R"({address: "http://a"})", "m.yaml:2: miroir.nodes[0].id: missing"},
      {"{id: a}", "m.yaml:2: miroir.nodes[0].address: missing"},
      {R"({id: "", address: "http://a"})", "m.yaml:2: miroir.nodes[0].id: expected"},
      {R"({id: a, address: "https://a"})",
       "m.yaml:2: miroir.nodes[0].address: expected an address"},
      {R"({id: a, address: "http://"})", "m.yaml:2: miroir.nodes[0].address: expected an address"},
      {R"({id: a, address: "http://a:99999"})",
       "m.yaml:2: miroir.nodes[0].address: expected an address"},
      {R"({id: a, address: "http://a:1/x"})",
       "m.yaml:2: miroir.nodes[0].address: expected an address"},
      {R"({id: a, address: "http://a", replica_group: -1})",
       "m.yaml:2: miroir.nodes[0].replica_group: expected a whole number"},
      {R"({id: a, address: "http://a", group: 1})", "m.yaml:2: miroir.nodes[0].group: unknown key"},
      {R"({id: a, address: "http://a"}, {id: a, address: "http://b"})",
       "m.yaml:2: miroir.nodes[1].id: expected an id that no other node has"},
      {R"({id: a, address: "http://a"}, {id: b, address: "http://a"})",
       "m.yaml:2: miroir.nodes[1].address: expected an address that no other node has"},
      {"3", "m.yaml:2: miroir.nodes"},
  };
  for (const auto& [list, refusal] : refused)
    EXPECT_TRUE(nodes(list).starts_with(refusal)) << list << " → " << nodes(list);
}

TEST(ConfigTest, TheFilesValuesArriveWhereTheyBelong) {
  const auto config = parse_config(
      "miroir:\n  shards: 7\n  nodes: [{id: n, address: \"http://h:1\", replica_group: 3}]\n"
      "  health: {interval_ms: 1, timeout_ms: 2, unhealthy_threshold: 3, recovery_threshold: 4}\n"
      "  scatter: {node_timeout_ms: 9, retry_on_timeout: false, unavailable_shard_policy: error}\n"
      "  anti_entropy: {enabled: false, schedule: every 2h, light_interval: 3s, auto_repair: false,"
      " updated_at_field: _miroir_stamp, tie: hash}\n"
      "  server: {port: 1, bind: 127.0.0.1, max_body_bytes: 5, max_concurrent_requests: 6,"
      " request_timeout_ms: 7}\n"
      "  metrics: {port: 2, bind: 127.0.0.2}\n  store: {url: \"sqlite:x\"}\n"
      "  log: {retention: {age: 1h, bytes: 8}, tasks_kept: 9}\n  logging: {level: error, format: "
      "json}\n",
      "m.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->shards, 7u);
  EXPECT_EQ(config->nodes.at(0).id, "n");
  EXPECT_EQ(config->nodes.at(0).group, 3);
  EXPECT_EQ(config->health.interval, Milliseconds(1));
  EXPECT_EQ(config->health.timeout, Milliseconds(2));
  EXPECT_EQ(config->health.unhealthy_threshold, 3);
  EXPECT_EQ(config->health.recovery_threshold, 4);
  EXPECT_EQ(config->search.node_timeout, Milliseconds(9));
  EXPECT_FALSE(config->search.retry_on_timeout);
  EXPECT_EQ(config->search.unavailable, UnavailableShards::kError);
  EXPECT_FALSE(config->anti_entropy.enabled);
  EXPECT_EQ(config->anti_entropy.schedule, std::chrono::hours(2));
  EXPECT_EQ(config->anti_entropy.light_interval, Seconds(3));
  EXPECT_FALSE(config->anti_entropy.auto_repair);
  EXPECT_EQ(config->search.names.updated_at, "_miroir_stamp");
  EXPECT_EQ(config->anti_entropy.tie, TieRule::kHash);
  EXPECT_EQ(config->proxy.port, 1);
  EXPECT_EQ(config->proxy.bind, "127.0.0.1");
  EXPECT_EQ(config->proxy.body_bytes_max, 5u);
  EXPECT_EQ(config->proxy.requests_max, 6u);
  EXPECT_EQ(config->proxy.request_timeout, Milliseconds(7));
  EXPECT_EQ(config->proxy.metrics_port, 2);
  EXPECT_EQ(config->proxy.metrics_bind, "127.0.0.2");
  EXPECT_EQ(config->store_url, "sqlite:x");
  EXPECT_EQ(config->log.retention_age, std::chrono::hours(1));
  EXPECT_EQ(config->log.retention_bytes, 8u);
  EXPECT_EQ(config->log.tasks_kept, 9u);
  EXPECT_EQ(config->log_level, LogLevel::kError);
  EXPECT_EQ(config->log_format, LogFormat::kJson);
}

TEST(ConfigTest, WhatIsNoConfigurationIsRefused) {
  EXPECT_TRUE(parse_config("miroir: [", "m.yaml").error().message.starts_with("m.yaml:1"));
  EXPECT_TRUE(
      parse_config("- a", "m.yaml").error().message.starts_with("m.yaml:1: expected a mapping"));
  EXPECT_TRUE(parse_config("mirror: {}", "m.yaml")
                  .error()
                  .message.starts_with("m.yaml:1: mirror: unknown"));
  EXPECT_FALSE(parse_config("", "m.yaml"));
  EXPECT_FALSE(parse_config("miroir:\n---\nmiroir:\n", "m.yaml"));
}

class LoadConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::path(::testing::TempDir()) /
            ("config_test_" +
             std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::ofstream(path_) << config_of("server: {port: 1}");
    for (const char* name : kVariables) ::unsetenv(name);
  }
  void TearDown() override {
    std::filesystem::remove(path_);
    for (const char* name : kVariables) ::unsetenv(name);
  }
  ConfigFlags flags() const {
    ConfigFlags flags;
    flags.config_path = path_.string();
    return flags;
  }

  static constexpr const char* kVariables[] = {"MIROIR_CONFIG_PATH",     "MIROIR_MASTER_KEY",
                                               "MIROIR_NODE_MASTER_KEY", "MIROIR_ADMIN_API_KEY",
                                               "MIROIR_DATA_DIR",        "MIROIR_STORE_URL"};
  std::filesystem::path path_;
};

TEST_F(LoadConfigTest, FlagsWinOverTheEnvironmentAndThatOverTheFile) {
  ::setenv("MIROIR_CONFIG_PATH", path_.c_str(), 1);
  ::setenv("MIROIR_MASTER_KEY", "from environment", 1);
  ::setenv("MIROIR_NODE_MASTER_KEY", "nodes", 1);
  ::setenv("MIROIR_ADMIN_API_KEY", "admin", 1);
  ::setenv("MIROIR_DATA_DIR", "/data", 1);
  ::setenv("MIROIR_STORE_URL", "sqlite:/data/x.db", 1);
  auto config = load_config({});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->secrets.master_key, "from environment");
  EXPECT_EQ(config->secrets.node_master_key, "nodes");
  EXPECT_EQ(config->secrets.admin_key, "admin");
  EXPECT_EQ(config->data_dir, "/data");
  EXPECT_EQ(config->store_url, "sqlite:/data/x.db");
  EXPECT_EQ(config->proxy.port, 1);

  ConfigFlags flags;
  flags.master_key = "from flag";
  flags.port = 2;
  flags.data_dir = "/flag";
  config = load_config(flags);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->secrets.master_key, "from flag");
  EXPECT_EQ(config->proxy.port, 2);
  EXPECT_EQ(config->data_dir, "/flag");
}

TEST_F(LoadConfigTest, AFileThatIsNotThereIsNamed) {
  ConfigFlags missing;
  missing.config_path = "/nowhere/miroir.yaml";
  const auto config = load_config(missing);
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("/nowhere/miroir.yaml"), std::string::npos);
}

TEST_F(LoadConfigTest, AStoreThatIsNoneIsRefusedWhereverItIsGiven) {
  for (const char* url : {"postgresql://x", "sqlite:", "x"}) {
    ::setenv("MIROIR_STORE_URL", url, 1);
    const auto config = load_config(flags());
    ASSERT_FALSE(config) << url;
    EXPECT_NE(config.error().message.find("MIROIR_STORE_URL"), std::string::npos);
  }
}

}  // namespace
}  // namespace miroir
