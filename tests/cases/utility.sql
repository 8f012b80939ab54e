--# transactions
BEGIN
>> BEGIN

--# transaction
start transaction isolation level repeatable read, read only, deferrable
>> START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY, DEFERRABLE

--# transaction
COMMIT AND CHAIN
>> COMMIT AND CHAIN

--# transaction
END
>> COMMIT

--# transaction
ABORT
>> ROLLBACK

--# transaction
SAVEPOINT "A b"
>> SAVEPOINT "A b"

--# transaction
ROLLBACK TO a
>> ROLLBACK TO SAVEPOINT "a"

--# transaction
RELEASE a
>> RELEASE SAVEPOINT "a"

--# a second wall keeps transactions read-only
BEGIN READ WRITE
!! WRITE_DISABLED READ WRITE is not allowed: this login may only read 

--# two-phase commit
PREPARE TRANSACTION 'x'
!! STATEMENT_NOT_ALLOWED two-phase commit is not allowed 

--# two-phase commit
COMMIT PREPARED 'x'
!! STATEMENT_NOT_ALLOWED two-phase commit is not allowed 

--# settings
SET application_name = 'it''s'
>> SET "application_name" TO 'it''s'

--# setting
SET LOCAL TimeZone TO 'UTC'
>> SET LOCAL "timezone" TO 'UTC'

--# setting
SET DateStyle TO ISO, MDY
>> SET "datestyle" TO 'iso', 'mdy'

--# setting
SET extra_float_digits = 3
>> SET "extra_float_digits" TO 3

--# setting
SET NAMES 'UTF8'
>> SET "client_encoding" TO 'UTF8'

--# setting
SET TIME ZONE INTERVAL '+01:00' HOUR TO MINUTE
!! UNSUPPORTED_SYNTAX this form of SET is not supported 

--# time limits up to the budget
SET statement_timeout = '1s'
>> SET "statement_timeout" TO '1s'

--# and not beyond
SET statement_timeout = '1h'
!! VALIDATION_ERROR value not allowed for setting "statement_timeout" 

--# nor off
SET statement_timeout = 0
!! VALIDATION_ERROR value not allowed for setting "statement_timeout" 

--# the same search_path may be repeated
SET search_path TO public
>> SET "search_path" TO 'public'

--# but not changed
SET search_path TO private, public
!! SETTING_NOT_ALLOWED search_path may not be changed here 

--# what changes the meaning of a text
SET standard_conforming_strings = off
!! VALIDATION_ERROR value not allowed for setting "standard_conforming_strings" 

--# encoding
SET client_encoding = 'LATIN1'
!! VALIDATION_ERROR value not allowed for setting "client_encoding" 

--# identity
SET ROLE postgres
!! SETTING_NOT_ALLOWED setting "role" may not be changed here 

--# identity
SET SESSION AUTHORIZATION postgres
!! SETTING_NOT_ALLOWED setting "session_authorization" may not be changed here 

--# policy
SET row_security = off
!! SETTING_NOT_ALLOWED setting "row_security" may not be changed here 

--# the wall itself
SET default_transaction_read_only = off
!! SETTING_NOT_ALLOWED setting "default_transaction_read_only" may not be changed here 

--# transaction modes
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
>> SET TRANSACTION ISOLATION LEVEL SERIALIZABLE

--# transaction modes
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
!! WRITE_DISABLED READ WRITE is not allowed: this login may only read 

--# back to start-up values, which are pinned
RESET ALL
>> RESET ALL

--# reset
RESET TimeZone
>> RESET "timezone"

--# reset of what may not be set
RESET role
!! SETTING_NOT_ALLOWED setting "role" may not be changed here 

--# show
SHOW transaction isolation level
>> SHOW "transaction_isolation"

--# show
SHOW server_version
>> SHOW "server_version"

--# show
SHOW ALL
!! SETTING_NOT_ALLOWED setting "all" may not be shown here 

--# show
SHOW data_directory
!! SETTING_NOT_ALLOWED setting "data_directory" may not be shown here 

--# names
DEALLOCATE "p 1"
>> DEALLOCATE "p 1"

--# names
DEALLOCATE ALL
>> DEALLOCATE ALL

--# names
CLOSE ALL
>> CLOSE ALL

--# notifications
UNLISTEN *
>> UNLISTEN *

--# notifications
LISTEN x
!! STATEMENT_NOT_ALLOWED this kind of statement is not allowed: Listen 

--# session reset
DISCARD ALL
!! STATEMENT_NOT_ALLOWED this kind of statement is not allowed: Discard 

--# the same setting by its other name
SET TIME ZONE 'UTC'
>> SET "timezone" TO 'UTC'

--# what would be rounded to no limit at all
SET statement_timeout = '0.4'
!! VALIDATION_ERROR value not allowed for setting "statement_timeout" 

