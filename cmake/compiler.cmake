set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Assertions stay on in release: MIROIR_ASSERT never depends on NDEBUG, and NDEBUG is not defined.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")

find_program(CCACHE ccache)
if(CCACHE)  # told to see through precompiled headers
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()
add_compile_options("SHELL:-Xclang -fno-pch-timestamp")

# libstdc++ 12's own stable_sort calls what it deprecates.
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Werror -Wno-deprecated-declarations)
add_link_options(-fuse-ld=lld)

set(MIROIR_SANITIZE "" CACHE STRING "address,undefined or thread")
if(MIROIR_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1")
  add_compile_options(-fsanitize=${MIROIR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MIROIR_SANITIZE})
else()
  # Coroutines inline into each other without end: below the usual threshold a cold build is shorter.
  add_compile_options("$<$<CONFIG:Release>:SHELL:-mllvm -inline-threshold=75>")
endif()

# For tests: what they call is optimised, they need not be. Not for a program that must be fast: its
# objects come first, and the linker takes the inline functions of the first object that has them.
# The preset `dev` has them with line numbers.
set(MIROIR_UNOPTIMISED -O0)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT MIROIR_SANITIZE)
  list(APPEND MIROIR_UNOPTIMISED -g0)
endif()

# How long tests may take, in seconds; with a sanitizer four times that.
function(miroir_timeout variable seconds)
  if(MIROIR_SANITIZE)
    math(EXPR seconds "4 * ${seconds}")
  endif()
  set(${variable} ${seconds} PARENT_SCOPE)
endfunction()

option(MIROIR_FUZZ "test/fuzz with libFuzzer")
if(MIROIR_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
