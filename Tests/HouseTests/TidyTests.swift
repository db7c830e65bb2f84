import Testing

/// The repository as it is must pass every rule. `RuleTests` shows that each rule can fail.
@Suite("Tidy") struct TidyTests {
  @Test func repositoryIsThere() {
    #expect(Repository.files.contains { $0.path == "Package.swift" })
    #expect(Repository.files.contains { $0.path == "Tests/HouseTests/TidyTests.swift" })
  }

  @Test func importsPointOneWay() { expectNone(BoundaryRules.imports(Repository.files)) }

  @Test func pureTargetsArePure() { expectNone(BoundaryRules.purity(Repository.files)) }

  @Test func onlyGeometryMintsIndices() { expectNone(BoundaryRules.minting(Repository.files)) }

  @Test func sourcesDoNotTrap() { expectNone(BoundaryRules.traps(Repository.files)) }

  @Test func everySwiftFileLiesInATarget() { expectNone(UseRules.targets(Repository.files)) }

  @Test func everyScriptIsRun() { expectNone(UseRules.scripts(Repository.files)) }

  @Test func everyLinkLeadsSomewhere() {
    expectNone(UseRules.links(Repository.files, allPaths: Repository.paths))
  }

  @Test func whatDocumentsNameIsThere() {
    expectNone(UseRules.names(Repository.files, allPaths: Repository.paths))
  }

  @Test func samplesAreTried() { expectNone(UseRules.samples(Repository.files)) }

  @Test func filesAreShort() { expectNone(TextRules.length(Repository.files)) }

  @Test func linesAreClean() { expectNone(TextRules.lines(Repository.files)) }

  private func expectNone(
    _ findings: [Finding], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let report = findings.map(\.description).joined(separator: "\n")
    #expect(findings.isEmpty, "\(report)", sourceLocation: sourceLocation)
  }
}
