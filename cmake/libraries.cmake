# Debian packages, all as SYSTEM: our warnings are for our code.
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(spdlog REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(GTest REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)

# Asio is compiled once, in src/base/asio.cc.
add_compile_definitions(BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)

add_library(miroir_base_libraries INTERFACE)
target_link_libraries(miroir_base_libraries INTERFACE Boost::headers spdlog::spdlog simdjson::simdjson yaml-cpp
  prometheus-cpp::core date-tz PkgConfig::XXHASH PkgConfig::ZSTD PkgConfig::UTF8PROC OpenSSL::Crypto Threads::Threads)
add_library(miroir_http_libraries INTERFACE)
target_link_libraries(miroir_http_libraries INTERFACE Boost::headers)
add_library(miroir_sqlite_libraries INTERFACE)
target_link_libraries(miroir_sqlite_libraries INTERFACE PkgConfig::SQLITE)
add_library(miroir_node_libraries INTERFACE)
target_link_libraries(miroir_node_libraries INTERFACE PkgConfig::UTF8PROC)
add_library(miroir_cli_libraries INTERFACE)
target_link_libraries(miroir_cli_libraries INTERFACE CLI11::CLI11)
add_library(miroir_test_libraries INTERFACE)
target_link_libraries(miroir_test_libraries INTERFACE GTest::gmock GTest::gtest GTest::gtest_main rapidcheck)

# The one file that knows the time zones, as Debian's library was built.
set_source_files_properties(src/base/time_zone.cc PROPERTIES COMPILE_DEFINITIONS USE_OS_TZDB=1)
