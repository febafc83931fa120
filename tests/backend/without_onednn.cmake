# Configures the tree as on machines without oneDNN, and with one of another interface:
# cmake -DSOURCE= -DFOLDER= -DGENERATOR= -DCC= -P this.
file(REMOVE_RECURSE ${FOLDER})
file(WRITE ${FOLDER}/later/dnnl-config.cmake "add_library(DNNL::dnnl INTERFACE IMPORTED)\n")
file(WRITE ${FOLDER}/later/dnnl-config-version.cmake "set(PACKAGE_VERSION 3.4.1)\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n")

function(expect_none name option words)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${FOLDER}/${name} -G ${GENERATOR} -DCMAKE_C_COMPILER=${CC} -DBM_TESTS=OFF ${option}
    RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${name}: does not configure:\n${out}")
  endif()
  string(FIND "${out}" "No backend onednn: ${words}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${name}: does not say \"${words}\":\n${out}")
  endif()
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${FOLDER}/${name} --target help OUTPUT_VARIABLE targets COMMAND_ERROR_IS_FATAL ANY)
  if(targets MATCHES "benchmark-onednn")
    message(FATAL_ERROR "${name}: makes a worker without the library")
  endif()
  if(NOT targets MATCHES "bm_backend")
    message(FATAL_ERROR "${name}: the list of targets is not what it was:\n${targets}")
  endif()
endfunction()

expect_none(absent -DCMAKE_DISABLE_FIND_PACKAGE_dnnl=ON "needs oneDNN and OpenMP (Debian: libdnnl-dev)")
expect_none(newer -Ddnnl_DIR=${FOLDER}/later "written for oneDNN 2.6 up to 3, this is 3.4.1")
