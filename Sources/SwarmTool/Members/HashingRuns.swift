import Metainfo
import Store
import SwarmNode

extension ContentImport {
  /// Hashes, showing how far it is.
  func hash() throws(Failure) -> TorrentDescription {
    let loop = EventLoop()
    let progress = Progress(on: loop, verb: "hashed", total: totalLength - knownLength) {
      self.bytesHashed
    }
    var result: Result<TorrentDescription, ContentImportError>?
    start(on: loop) {
      result = $0
      progress.finish(succeeded: (try? $0.get()) != nil)
    }
    loop.run()
    guard let result else { preconditionFailure("an import ends with a result") }
    return try Failure.wrap { try result.get() }
  }
}

extension ContentVerification {
  /// Compares, showing how far it is.
  func compare() -> VerifyReport {
    let loop = EventLoop()
    let progress = Progress(on: loop, verb: "compared", total: totalLength) { self.bytesHashed }
    var report: VerifyReport?
    start(on: loop) {
      report = $0
      progress.finish(succeeded: true)
    }
    loop.run()
    guard let report else { preconditionFailure("a comparison ends with a report") }
    return report
  }
}
