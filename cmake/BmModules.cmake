# One target per module states its edges; tests/floors checks the includes against them.

add_library(bm_settings INTERFACE)
target_include_directories(bm_settings INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(bm_settings INTERFACE _GNU_SOURCE CL_TARGET_OPENCL_VERSION=300)
target_compile_options(bm_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
  -Wwrite-strings -Wvla -Wundef -Wformat=2 -Wdouble-promotion -fno-math-errno)
if(BM_WERROR)
  target_compile_options(bm_settings INTERFACE -Werror)
endif()
if(BM_SANITIZE)
  target_compile_options(bm_settings INTERFACE -fsanitize=${BM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    # gcc loses the ranges of values in instrumented code, and then warns of what cannot be.
    -Wno-format-truncation)
  target_link_options(bm_settings INTERFACE -fsanitize=${BM_SANITIZE})
endif()
if(BM_COVERAGE)
  target_compile_options(bm_settings INTERFACE --coverage)
  target_link_options(bm_settings INTERFACE --coverage)
endif()

# bm_module(NAME SOURCES file... [USES module...] [LINKS target...])
# NAME becomes the static library bm_NAME; USES are the modules on lower floors that it may include.
function(bm_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LINKS" ${ARGN})
  add_library(bm_${name} STATIC ${ARG_SOURCES})
  list(TRANSFORM ARG_USES PREPEND bm_)
  target_link_libraries(bm_${name} PUBLIC bm_settings ${ARG_USES} PRIVATE ${ARG_LINKS})
endfunction()
