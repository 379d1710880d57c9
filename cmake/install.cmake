# What `make install` installs: the program, both libraries with their headers, limn.pc and CMake's package, and the models.
include(CMakePackageConfigHelpers)

add_library(limn-shared SHARED $<TARGET_OBJECTS:limn>)
set_target_properties(limn-shared PROPERTIES OUTPUT_NAME limn EXPORT_NAME limn LINKER_LANGUAGE C
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(limn-shared PRIVATE ${LIMN_NEEDS})
target_link_options(limn-shared PRIVATE LINKER:--no-undefined LINKER:-Bsymbolic-functions
  LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/limn.map)
set_target_properties(limn-shared PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/limn.map)
set_target_properties(limn PROPERTIES EXPORT_NAME static)

# Both find what they need from where they lie, so that a prefix may be moved as a whole, or staged with DESTDIR.
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/limn)
file(RELATIVE_PATH LIMN_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/limn.pc.in limn.pc @ONLY)
configure_package_config_file(cmake/limn-config.cmake.in limn-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(limn-config-version.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS limn-cli)
if(TARGET limn-mpi)
  install(TARGETS limn-mpi DESTINATION ${CMAKE_INSTALL_LIBDIR}/limn)
endif()
install(TARGETS limn-shared EXPORT limn INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS limn EXPORT limn-static INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT limn FILE limn-targets.cmake NAMESPACE limn:: DESTINATION ${package})
install(EXPORT limn-static FILE limn-static-targets.cmake NAMESPACE limn:: DESTINATION ${package})
install(FILES ${PROJECT_BINARY_DIR}/limn-config.cmake ${PROJECT_BINARY_DIR}/limn-config-version.cmake DESTINATION ${package})
install(FILES ${PROJECT_BINARY_DIR}/limn.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY include/limn DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY models DESTINATION ${CMAKE_INSTALL_DATADIR}/limn)
