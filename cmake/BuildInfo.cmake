cmake_minimum_required(VERSION 3.25) # for its policies
# Writes OUTPUT, a header that says what was built: VERSION, COMMIT, COMPILER, TYPE.
execute_process(COMMAND git describe --always --dirty --exclude=* WORKING_DIRECTORY ${SOURCE}
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  set(commit "") # built from an archive
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define BM_VERSION \"@VERSION@\"
#define BM_COMMIT \"@commit@\"
#define BM_COMPILER \"@COMPILER@\"
#define BM_BUILD_TYPE \"@TYPE@\"
" @ONLY)
