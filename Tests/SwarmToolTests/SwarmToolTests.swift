import Testing

@testable import SwarmTool
