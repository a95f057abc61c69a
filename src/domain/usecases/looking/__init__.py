"""Use cases that look into trees and archives."""
