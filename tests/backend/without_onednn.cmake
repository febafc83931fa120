# Configures the tree as on a machine without oneDNN: cmake -DSOURCE= -DFOLDER= -DGENERATOR= -DCC= -P this.
file(REMOVE_RECURSE ${FOLDER})
execute_process(
  COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${FOLDER} -G ${GENERATOR} -DCMAKE_C_COMPILER=${CC} -DBM_TESTS=OFF
          -DCMAKE_DISABLE_FIND_PACKAGE_dnnl=ON
  RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE out)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "does not configure:\n${out}")
endif()
if(NOT out MATCHES "No backend onednn: needs oneDNN and OpenMP \\(Debian: libdnnl-dev\\)")
  message(FATAL_ERROR "does not say that oneDNN is missing:\n${out}")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} --build ${FOLDER} --target help OUTPUT_VARIABLE targets COMMAND_ERROR_IS_FATAL ANY)
if(targets MATCHES "benchmark-onednn")
  message(FATAL_ERROR "makes a worker without the library")
endif()
if(NOT targets MATCHES "bm_backend")
  message(FATAL_ERROR "the list of targets is not what it was:\n${targets}")
endif()
